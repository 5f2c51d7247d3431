"""Reference radiances of a lit sphere by mitsuba (``scalar_rgb``): writes ``direct_light.json``, against which ``tests/unit/test_direct_light.py``
holds the renderer. Run with a Python that has mitsuba 3; tests need only the table.

A unit sphere stands 5 m ahead of a pinhole camera (12 x 12 px, focal length 27 px) at the origin that looks along +x, z up. Each pixel's centre
ray is measured by itself, so no pixel filter enters.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

SIZE, FOCAL, REPEATS, RAYS = 12, 27.0, 16, 4096
MATERIALS = {"diffuse": (0.6, 0.5, 0.4), "metal": (0.9, 0.6, 0.3)}
ROUGHNESS = 0.4
CENTRE = np.array([5.0, 0.0, 0.0])
LIGHTS = {
    "point": {"position": (2.5, 2.0, 2.0), "intensity": (40.0, 30.0, 20.0)},
    "distant": {"toward": (-1.0, 1.0, 1.0), "irradiance": (3.0, 2.5, 2.0)},
    "rect": {"position": (2.5, -2.0, 1.5), "width": 1.5, "height": 1.0, "radiance": (10.0, 8.0, 6.0)},
    "disk": {"position": (3.0, 2.0, -1.0), "radius": 0.7, "radiance": (10.0, 8.0, 6.0)},
    "sphere": {"position": (3.0, -1.0, 2.0), "radius": 0.5, "radiance": (10.0, 8.0, 6.0)},
    "cylinder": {"position": (3.0, 1.5, 1.5), "radius": 0.15, "length": 2.0, "radiance": (10.0, 8.0, 6.0)},
    "dome": {"floor": 0.3, "peak": 4.0, "sharpness": 8.0, "toward": (-0.6, 0.48, 0.64)},
}


def sky(directions: np.ndarray) -> np.ndarray:
    """Radiance of the dome [...] from unit directions [..., 3]: a floor and one soft lobe."""
    light = LIGHTS["dome"]
    return light["floor"] + light["peak"] * np.exp(light["sharpness"] * (directions @ np.array(light["toward"]) - 1.0))


def pixel_rays() -> tuple[np.ndarray, np.ndarray]:
    """Every third pixel (row, column) [N, 2] whose centre ray meets the sphere, and the unit directions [N, 3]."""
    v, u = np.mgrid[:SIZE, :SIZE]
    d = np.stack([np.ones(u.shape), -(u - (SIZE - 1) / 2) / FOCAL, -(v - (SIZE - 1) / 2) / FOCAL], -1).reshape(-1, 3)
    d /= np.linalg.norm(d, axis=1, keepdims=True)
    meets = np.linalg.norm(np.cross(d, CENTRE), axis=1) < 0.98
    return np.stack([v.ravel(), u.ravel()], 1)[meets][::3], d[meets][::3]


def facing(mi, position: tuple) -> object:
    """Frame at a position whose +z looks at the sphere and whose x axis is level."""
    return mi.ScalarTransform4f().look_at(origin=list(position), target=CENTRE.tolist(), up=[0, 0, 1])


def emitter(mi, name: str) -> dict:
    """One of ``LIGHTS`` for mitsuba."""
    light = LIGHTS[name]

    def rgb(value: tuple) -> dict:
        return {"type": "rgb", "value": list(value)}

    if name == "point":
        return {"type": "point", "position": list(light["position"]), "intensity": rgb(light["intensity"])}
    if name == "distant":
        return {"type": "directional", "direction": [-c for c in light["toward"]], "irradiance": rgb(light["irradiance"])}
    if name == "dome":
        v, u = np.mgrid[:128, :256]
        phi, theta = (u + 0.5) / 256 * 2 * np.pi, (v + 0.5) / 128 * np.pi
        d = np.stack([np.sin(phi) * np.sin(theta), np.cos(theta), -np.cos(phi) * np.sin(theta)], -1)
        return {"type": "envmap", "bitmap": mi.Bitmap(np.repeat(sky(d)[..., None], 3, -1).astype(np.float32))}
    shine = {"type": "area", "radiance": rgb(light["radiance"])}
    place, t = facing(mi, light["position"]), mi.ScalarTransform4f
    if name == "rect":
        return {"type": "rectangle", "to_world": place @ t().scale([light["width"] / 2, light["height"] / 2, 1]), "emitter": shine}
    if name == "disk":
        return {"type": "disk", "to_world": place @ t().scale(light["radius"]), "emitter": shine}
    if name == "sphere":
        return {"type": "sphere", "center": list(light["position"]), "radius": light["radius"], "emitter": shine}
    half = light["length"] / 2
    ends = [(place @ mi.ScalarPoint3f(s * half, 0, 0)) for s in (-1, 1)]
    return {"type": "cylinder", "p0": ends[0], "p1": ends[1], "radius": light["radius"], "emitter": shine}


def material(name: str) -> dict:
    """One of ``MATERIALS`` for mitsuba."""
    colour = {"type": "rgb", "value": list(MATERIALS[name])}
    if name == "diffuse":
        return {"type": "diffuse", "reflectance": colour}
    return {"type": "principled", "base_color": colour, "metallic": 1.0, "roughness": ROUGHNESS}


def main() -> None:
    """Measure every light on every material: mean and standard error per pixel."""
    import mitsuba as mi

    mi.set_variant("scalar_rgb")
    mi.set_log_level(mi.LogLevel.Warn)
    pixels, directions = pixel_rays()
    out = {"mitsuba": mi.__version__, "pixels": pixels.tolist(), "radiance": {}}
    for name in LIGHTS:
        for coat in MATERIALS:
            sphere = {"type": "sphere", "center": CENTRE.tolist(), "radius": 1.0, "bsdf": material(coat)}
            scene = mi.load_dict({"type": "scene", "light": emitter(mi, name), "ball": sphere, "integrator": {"type": "direct"}})
            mean, error = [], []
            for d in directions:
                film = {"type": "hdrfilm", "width": 1, "height": 1, "rfilter": {"type": "box"}, "pixel_format": "rgb", "component_format": "float32"}
                near = {"type": "radiancemeter", "origin": [0.0, 0.0, 0.0], "direction": d.tolist(), "film": film}
                sensor = mi.load_dict({**near, "sampler": {"type": "independent"}})
                got = np.array([np.array(mi.render(scene, sensor=sensor, spp=RAYS, seed=k)).ravel()[:3] for k in range(REPEATS)])
                mean.append(got.mean(0).round(5).tolist())
                error.append((got.std(0, ddof=1) / np.sqrt(REPEATS)).round(5).tolist())
            out["radiance"][f"{name} on {coat}"] = {"mean": mean, "error": error}
            print(name, coat, np.mean(mean, 0), np.mean(error, 0))
    Path(__file__).with_suffix(".json").write_text(json.dumps(out) + "\n")


if __name__ == "__main__":
    main()
