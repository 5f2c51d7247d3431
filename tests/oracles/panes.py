"""Reference radiances behind a clear pane by mitsuba (``scalar_rgb``, ``thindielectric``): writes ``panes.json``, against which
``tests/unit/test_panes.py`` holds the renderer. Run with a Python that has mitsuba 3; tests need only the table.

A pane of index 1.5 stands 2 m ahead of the origin, turned about the vertical by ``TILTS``. ``mirror``: the ray along +x, with a glowing wall behind
the pane and everything else glowing in another colour. ``ball``: a diffuse unit sphere 5 m ahead behind the pane, lit through it by a square lamp on
the viewer's side; paths longer than viewer, pane, ball, pane, lamp are left out.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from direct_light import pixel_rays

TILTS = (0.0, 35.0, 60.0, 78.0)
BEHIND, AHEAD = (1.0, 2.0, 4.0), (3.0, 1.0, 0.5)
ALBEDO = (0.6, 0.5, 0.4)
LAMP = {"position": (-2.0, 1.0, 3.0), "size": 2.0, "radiance": (40.0, 30.0, 20.0)}
IOR, PANE, BALL = 1.5, (2.0, 0.0, 0.0), (5.0, 0.0, 0.0)
REPEATS, RAYS = 16, 16384


def measure(mi, scene: object, direction: np.ndarray, rays: int) -> np.ndarray:
    """Radiance along a direction from the origin, [REPEATS, 3]."""
    film = {"type": "hdrfilm", "width": 1, "height": 1, "rfilter": {"type": "box"}, "pixel_format": "rgb", "component_format": "float32"}
    meter = {"type": "radiancemeter", "origin": [0.0, 0.0, 0.0], "direction": direction.tolist(), "film": film}
    sensor = mi.load_dict({**meter, "sampler": {"type": "independent"}})
    return np.array([np.array(mi.render(scene, sensor=sensor, spp=rays, seed=k)).ravel()[:3] for k in range(REPEATS)])


def main() -> None:
    """Measure every tilt: mean and standard error."""
    import mitsuba as mi

    mi.set_variant("scalar_rgb")
    mi.set_log_level(mi.LogLevel.Warn)
    t = mi.ScalarTransform4f

    def rgb(value: tuple) -> dict:
        return {"type": "rgb", "value": list(value)}

    def square(place: object, half: float, **more: object) -> dict:
        return {"type": "rectangle", "to_world": place @ t().scale([half, half, 1]), **more}

    pixels, directions = pixel_rays()
    out = {"mitsuba": mi.__version__, "mirror": [], "ball": []}
    for tilt in TILTS:
        facing = t().translate(list(PANE)) @ t().rotate([0, 0, 1], tilt) @ t().rotate([0, 1, 0], -90)
        pane = square(facing, 20.0, bsdf={"type": "thindielectric", "int_ior": IOR, "ext_ior": 1.0})
        wall = square(t().translate([200, 0, 0]) @ t().rotate([0, 1, 0], -90), 50.0, emitter={"type": "area", "radiance": rgb(BEHIND)})
        around = {"type": "constant", "radiance": rgb(AHEAD)}
        scene = mi.load_dict({"type": "scene", "pane": pane, "wall": wall, "sky": around, "integrator": {"type": "path", "max_depth": 3}})
        got = measure(mi, scene, np.array([1.0, 0.0, 0.0]), 65536)
        out["mirror"].append({"mean": got.mean(0).round(5).tolist(), "error": (got.std(0, ddof=1) / np.sqrt(REPEATS)).round(6).tolist()})
        if tilt > 40:
            continue
        place = t().look_at(origin=list(LAMP["position"]), target=list(BALL), up=[0, 0, 1])
        lamp = square(place, LAMP["size"] / 2, emitter={"type": "area", "radiance": rgb(LAMP["radiance"])})
        ball = {"type": "sphere", "center": list(BALL), "radius": 1.0, "bsdf": {"type": "diffuse", "reflectance": rgb(ALBEDO)}}
        scene = mi.load_dict({"type": "scene", "pane": pane, "ball": ball, "lamp": lamp, "integrator": {"type": "path", "max_depth": 4}})
        rays = [measure(mi, scene, d, RAYS) for d in directions]
        mean, error = ([f(r).round(5).tolist() for r in rays] for f in (lambda r: r.mean(0), lambda r: r.std(0, ddof=1) / np.sqrt(REPEATS)))
        out["ball"].append({"tilt": tilt, "mean": mean, "error": error})
        print(tilt, out["mirror"][-1], np.mean(mean, 0), np.mean(error, 0))
    out["pixels"] = pixels.tolist()
    Path(__file__).with_suffix(".json").write_text(json.dumps(out) + "\n")


if __name__ == "__main__":
    main()
