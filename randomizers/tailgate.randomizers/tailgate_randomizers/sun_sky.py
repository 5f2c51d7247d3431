"""lighting.sun_sky: sun, sky and, after dark, street lamps; decides the condition ``light``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from tailgate.config.setting import Setting
from tailgate.randomize.protocol import BaseRandomizer, Drawing, Drawn, PoolScene, SampleContext, Streams
from tailgate.stage.layers import FrameLayer

from tailgate_randomizers.make import ranged, rounded

SUN, SKY = "/Tailgate/Lights/Sun", "/Tailgate/Lights/Sky"
INTENSITY = 3000.0
"""UsdLux intensity of a clear zenith sun."""
NIGHT_BELOW, DUSK_BELOW, OVERCAST_FROM = -6.0, 8.0, 0.7
"""Civil twilight ends at -6°; below 8° the sun is dimmed and reddened; from this cloud cover on the disc is not seen."""
LAMPS_FROM = 2.0
"""Street lamps come up between this sun elevation and the end of twilight [deg]."""
LAMPS, LAMP_SPACING, LAMP_HEIGHT = 6, 24.0, 6.5


def light_of(elevation_deg: float, cloud: float) -> str:
    """``light`` of a sun elevation [deg] and cloud cover 0..1: night, dusk, overcast or day."""
    if elevation_deg < NIGHT_BELOW:
        return "night"
    if elevation_deg < DUSK_BELOW:
        return "dusk"
    return "overcast" if cloud >= OVERCAST_FROM else "day"


_INTERVALS = {
    "day": ((DUSK_BELOW, 90.0), (0.0, OVERCAST_FROM - 0.01)),
    "overcast": ((DUSK_BELOW, 90.0), (OVERCAST_FROM, 1.0)),
    "dusk": ((NIGHT_BELOW, DUSK_BELOW - 0.01), (0.0, 1.0)),
    "night": ((-90.0, NIGHT_BELOW - 0.01), (0.0, 1.0)),
}
"""Elevation and cloud intervals that a cell's ``light`` pins."""


class SunSky(BaseRandomizer):
    """Draws the sun's position, cloud cover, turbidity and strength, given the weather.

    Irradiances are in units of a clear zenith sun (about 1,000 W/m²). Direct light falls with air mass as 0.75^(m^0.678) (Meinel & Meinel 1976),
    m = 1 / (sin e + 0.50572 (e + 6.07995)^-1.6364) (Kasten & Young 1989).
    """

    name: ClassVar[str] = "lighting.sun_sky"
    level: ClassVar[str] = "global"
    offers: ClassVar[dict[str, tuple[str, ...]]] = {"light": tuple(_INTERVALS)}

    def defaults(self) -> dict[str, Setting]:
        """Sun elevation and azimuth, cloud cover, strength, warmth, and lamp strength after dark."""
        return {
            "elevation_deg": ranged(-14, 72, "deg", (1.4, 1.2)),
            "azimuth_deg": ranged(-180, 180, "deg"),
            "cloud": ranged(0, 1),
            "sun_strength": ranged(0.8, 1.15),
            "sky_strength": ranged(0.75, 1.3),
            "temperature_shift_k": ranged(-400, 500, "K"),
            "lamp_strength": ranged(0.6, 1.6),
            "lamp_temperature_k": ranged(2500, 5000, "K"),
        }

    def author(self, scene: PoolScene) -> None:
        """Sun, sky and a row of lamps along the sidewalks."""
        pool, frame = scene.layers.pool, scene.layers.frame
        pool.define(SUN, "DistantLight")
        pool.single_transform(SUN)
        pool.set(f"{SUN}.inputs:angle", "float", 0.53)
        pool.set(f"{SUN}.inputs:normalize", "bool", True)
        pool.define(SKY, "DomeLight")
        frame.declare(f"{SUN}.xformOp:transform", "matrix4d", sun_matrix(45.0, 0.0))
        declare_light(frame, SUN, INTENSITY)
        declare_light(frame, SKY, 0.05 * INTENSITY)
        for i, position in enumerate(lamp_places(scene)):
            author_lamp(scene, i, position, 0.18)

    def sample(self, ctx: SampleContext, streams: Streams) -> Drawn:
        """Values for every light, and the condition."""
        draw = ctx.drawing(streams)
        elevation, cloud = self._sky(ctx, draw)
        azimuth = draw("azimuth_deg")
        light = light_of(elevation, cloud)
        sun, kelvin = direct_light(elevation)
        sun *= draw("sun_strength") * max(1.0 - (cloud / OVERCAST_FROM) ** 3, 0.0)
        kelvin = float(np.clip(kelvin + draw("temperature_shift_k"), 1700, 12000))
        lamp_kelvin = draw("lamp_temperature_k")
        sky, tint = sky_light(elevation, cloud)
        dark = float(np.clip((LAMPS_FROM - elevation) / (LAMPS_FROM - NIGHT_BELOW), 0.0, 1.0))
        lamps = INTENSITY * LAMP_RADIANCE * dark * draw("lamp_strength")
        values = {
            "sun": {"elevation": elevation, "azimuth": azimuth, "intensity": round(INTENSITY * sun, 4), "color": rounded(blackbody(kelvin))},
            "sky": {"intensity": round(INTENSITY * sky * draw("sky_strength"), 4), "color": rounded(tint)},
            "lamps": {"intensity": round(lamps, 2), "color": rounded(lamp_color(lamp_kelvin))},
        }
        return Drawn(values, draw.draws, {"sun_elevation_deg": elevation, "cloud": cloud}, {"light": light}, {"cloud_cover": round(cloud, 6)})

    def apply(self, frame: FrameLayer, values: Mapping[str, Any], tick: int) -> None:
        """Write intensities, colours and the sun's direction."""
        sun, sky, lamps = values["sun"], values["sky"], values["lamps"]
        frame.write(f"{SUN}.xformOp:transform", sun_matrix(sun["elevation"], sun["azimuth"]))
        write_light(frame, SUN, sun)
        write_light(frame, SKY, sky)
        for path in sorted({p.split(".")[0] for p in frame.declared if p.startswith("/Tailgate/Lights/Lamp_")}):
            write_light(frame, path, {"intensity": lamps["intensity"], "color": lamps["color"]})

    def _sky(self, ctx: SampleContext, draw: Drawing) -> tuple[float, float]:
        pinned = ctx.cell.light if ctx.cell and ctx.cell.light in _INTERVALS else None
        if pinned:
            elevations, clouds = _INTERVALS[pinned]
            low = max(elevations[0], -18.0)
            return draw.within("elevation_deg", low, min(elevations[1], 75.0)), draw.within("cloud", *clouds)
        elevation = draw("elevation_deg")
        if ctx.given.get("weather") in ("rain", "fog", "snow"):
            return elevation, draw.within("cloud", 0.75, 1.0)
        return elevation, draw("cloud")


LAMP_RADIANCE = 14.0
"""Radiance of a lamp's surface at strength 1, in units of a clear zenith sun: brighter than 30 lux would be, so that the lamp outshines the night sky
tenfold on the ground below it."""


def direct_light(elevation_deg: float) -> tuple[float, float]:
    """Direct normal irradiance relative to a clear zenith sun, and its colour temperature [K]."""
    if elevation_deg < -0.8:
        return 0.0, 2000.0
    e = max(elevation_deg, 0.0)
    mass = 1.0 / (np.sin(np.deg2rad(e)) + 0.50572 * (e + 6.07995) ** -1.6364)
    return float(0.75 ** (mass**0.678) / 0.75), float(2000 + 3900 * (1 - np.exp(-e / 9.0)))


def sky_light(elevation_deg: float, cloud: float) -> tuple[float, tuple[float, float, float]]:
    """Mean sky radiance in the unit of ``direct_light`` per steradian, and its colour.

    Blue and dim when clear, white and brighter when broken, bluer again at dusk.
    """
    rise = float(np.clip((elevation_deg + 12.0) / 32.0, 0.0, 1.0))
    bright = 0.0004 + 0.055 * rise**2.2 * (1.0 + 0.8 * np.sin(np.pi * min(cloud, 0.9)))
    blue, grey, warm = np.array([0.70, 0.84, 1.0]), np.array([0.86, 0.92, 1.0]), np.array([1.0, 0.62, 0.45])
    clear = blue + (warm - blue) * float(np.clip(1 - abs(elevation_deg) / 9.0, 0, 1)) * 0.55
    dusk = float(np.clip((DUSK_BELOW - elevation_deg) / (DUSK_BELOW - NIGHT_BELOW), 0, 1))
    mixed = clear + (grey * (1 - dusk * np.array([0.30, 0.16, 0.0])) - clear) * float(np.clip(cloud * 1.2, 0, 1))
    return float(bright), tuple(mixed)


def blackbody(kelvin: float) -> tuple[float, float, float]:
    """Linear RGB of a blackbody, largest channel 1 (fit of Tanner Helland 2012 to the CIE 1964 locus, decoded from sRGB)."""
    t = kelvin / 100.0
    red = 255.0 if t <= 66 else 329.698727446 * (t - 60) ** -0.1332047592
    green = 99.4708025861 * np.log(t) - 161.1195681661 if t <= 66 else 288.1221695283 * (t - 60) ** -0.0755148492
    blue = 255.0 if t >= 66 else 0.0 if t <= 19 else 138.5177312231 * np.log(t - 10) - 305.0447927307
    srgb = np.clip([red, green, blue], 0, 255) / 255.0
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    return tuple(float(v) for v in linear / linear.max())


def lamp_color(kelvin: float) -> tuple[float, float, float]:
    """Linear RGB of a lamp as a camera records it: white balance takes out about half of the cast (the square root of the blackbody's colour)."""
    return tuple(float(np.sqrt(v)) for v in blackbody(kelvin))


def sun_matrix(elevation_deg: float, azimuth_deg: float) -> list[list[float]]:
    """T_world_light of a distant light that shines from that direction: its own +z points to the sun."""
    e, a = np.deg2rad([elevation_deg, azimuth_deg])
    z = np.array([np.cos(e) * np.cos(a), np.cos(e) * np.sin(a), np.sin(e)])
    x = np.array([-np.sin(a), np.cos(a), 0.0])
    T = np.eye(4)
    T[:3, :3] = np.stack([x, np.cross(z, x), z], axis=1)
    return [rounded(row, 12) for row in T]


def lamp_places(scene: PoolScene) -> list[tuple[float, float, float]]:
    """Up to LAMPS positions at LAMP_HEIGHT, alternating over the sidewalks (lanes, else aisles) every LAMP_SPACING metres about their middle."""
    splines = [c for kind in ("sidewalk", "lane", "aisle") for c in scene.contexts if c.kind == kind and c.is_spline]
    kinds = {c.kind for c in splines}
    first = next((k for k in ("sidewalk", "lane", "aisle") if k in kinds), None)
    longest = sorted((c for c in splines if c.kind == first), key=lambda c: (-c.length, c.name))[:2]
    places = []
    for i in range(LAMPS if longest else 0):
        context = longest[i % len(longest)]
        s = context.length / 2 + (i - (LAMPS - 1) / 2) * min(LAMP_SPACING, context.length / (LAMPS + 1))
        xyz, _ = context.at(np.array([s]))
        places.append((float(xyz[0, 0]), float(xyz[0, 1]), float(xyz[0, 2]) + LAMP_HEIGHT))
    return places


def author_lamp(scene: PoolScene, index: int, position: tuple[float, float, float], radius: float) -> None:
    """A sphere light of a radius [m]; off until a sample says otherwise."""
    path = f"/Tailgate/Lights/Lamp_{index}"
    scene.layers.pool.define(path, "SphereLight")
    matrix = np.eye(4)
    matrix[:3, 3] = position
    scene.layers.pool.single_transform(path)
    scene.layers.pool.set(f"{path}.xformOp:transform", "matrix4d", matrix.tolist())
    scene.layers.pool.set(f"{path}.inputs:radius", "float", radius)
    declare_light(scene.layers.frame, path, 0.0)


def declare_light(frame: FrameLayer, path: str, intensity: float) -> None:
    """Declare what changes per clip; a light without intensity is hidden, so that it costs nothing."""
    frame.declare(f"{path}.inputs:intensity", "float", intensity)
    frame.declare(f"{path}.inputs:color", "color3f", [1.0, 1.0, 1.0])
    frame.declare(f"{path}.visibility", "token", "inherited" if intensity > 0 else "invisible")


def write_light(frame: FrameLayer, path: str, values: Mapping[str, Any]) -> None:
    """Write intensity, colour and visibility of a light."""
    frame.write(f"{path}.inputs:intensity", values["intensity"])
    frame.write(f"{path}.inputs:color", values["color"])
    frame.write(f"{path}.visibility", "inherited" if values["intensity"] > 0 else "invisible")
