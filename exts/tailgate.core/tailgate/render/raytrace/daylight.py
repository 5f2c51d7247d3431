"""From the lights of a stage to the renderer's sky, and the exposure that shows it."""

from __future__ import annotations

import numpy as np

from tailgate.geometry.quiet import wp
from tailgate.render.raytrace.albedo import share_table
from tailgate.render.raytrace.dome import dome_of
from tailgate.render.raytrace.lamps import Lamp
from tailgate.render.raytrace.pictures import pictures_of
from tailgate.render.raytrace.profiles import profiles_of
from tailgate.render.raytrace.shading import Light
from tailgate.stage.images import LUMINANCE
from tailgate.stage.lights import Lights

ZENITH = np.array([0.40, 0.68, 1.15])
HORIZON_DAY = np.array([0.98, 1.06, 1.16])
HORIZON_LOW_SUN = np.array([1.60, 0.92, 0.48])
"""Colours of a clear sky relative to its mean: overhead, at the horizon with a high sun and with a low one."""

HORIZON_SHARE = 1 / 28
"""Cosine-weighted share of the horizon colour in ``shading.sky``: the integral of 2 u (1 - u)^6 over [0, 1]."""

DAY_EXPOSURE = 0.9
"""Exposure by day relative to showing a grey card at its own reflectance."""


def daylight(lights: Lights, hints: dict[str, float], seed: int, device: str) -> Light:
    """Build the renderer's light.

    A dome is uniform, one with an image shows it. With a sun, the radiance of a natural one without an image is the cosine-weighted mean of a clear
    sky whose gradient fades as the dome outshines the sun, which is how overcast skies look; below the horizon it shows a ground.

    Args:
        lights: lights of the stage.
        hints: ``fog_extinction`` [1/m] and ``cloud_cover`` 0..1 are read.
        seed: seed of all sampling.
        device: Warp device.
    """
    out = Light()
    elevation = float(np.arcsin(np.clip(lights.sun_direction[2], -1, 1)))
    ahead = float(LUMINANCE @ lights.sun) * max(np.sin(elevation), 0.15)
    sky = float(LUMINANCE @ lights.sky)
    natural = lights.natural and sky > 0 and ahead > 0 and lights.dome is None
    clear = float(np.clip(1.3 * ahead / (ahead + np.pi * sky), 0, 1)) if natural else 0.0
    low = float(np.clip(1 - elevation / np.deg2rad(22), 0, 1))
    zenith = lights.sky * (1 - clear + clear * ZENITH)
    brighter = 1 + 1.2 * clear
    horizon = lights.sky * (1 - clear + clear * (HORIZON_DAY * (1 - low) + HORIZON_LOW_SUN * low)) * brighter
    mean = zenith * (1 - HORIZON_SHARE) + horizon * HORIZON_SHARE
    scale = sky / max(float(LUMINANCE @ mean), 1e-12)
    zenith, horizon, mean = zenith * scale, horizon * scale, mean * scale
    shining = clear if elevation > 0 else 0.0
    ground = 0.2 * (lights.sun * max(np.sin(elevation), 0) / np.pi + mean) if natural else mean
    out.dome, image = dome_of(lights.dome, device)
    haze, mean = horizon + image, mean + image
    out.sun_direction = wp.vec3(*map(float, lights.sun_direction))
    out.sun = wp.vec3(*map(float, lights.sun))
    out.sun_radius = lights.sun_angle / 2 if ahead > 0 else -1.0
    out.glow = wp.vec3(*map(float, lights.sun * 0.02 * shining))
    out.cloud = float(hints.get("cloud_cover", 0.35 * shining))
    out.fog = float(hints.get("fog_extinction", 0.0))
    for name, colour in (("mean_sky", mean), ("zenith", zenith), ("horizon", horizon), ("ground", ground), ("haze", haze)):
        setattr(out, name, wp.vec3(*map(float, colour)))
    add_lamps(out, lights, device)
    out.shares = share_table(device)
    out.seed = int(seed)
    return out


def add_lamps(out: Light, lights: Lights, device: str) -> None:
    """Put the lamps of a stage on the device, with what they show and shine on; the radiance of those with an image is its mean."""
    out.lamps = len(lights.lamps)
    rows = np.zeros(len(lights.lamps), Lamp.numpy_dtype())
    for name in lights.lamps.dtype.names:
        rows[name] = lights.lamps[name]
    out.pictures, means, row_of = pictures_of(lights.pictures, device)
    shown = rows["picture"] >= 0
    which = rows["picture"][shown]
    rows["radiance"][shown] *= means[which]
    rows["picture"][shown] = row_of[which]
    out.profiles = profiles_of(lights.profiles, device)
    out.lamp = wp.array(rows, dtype=Lamp, device=device)
    out.links = wp.array(lights.links.of_slot, dtype=wp.int32, device=device)


def auto_exposure(hdr: np.ndarray, surface: np.ndarray, light: Light, key: float = 1.0) -> float:
    """Factor on radiance before the tone curve, as a camera would choose it.

    By day the light that falls on level ground is metered, so that a grey card is shown grey, and corrected by at most one stop towards the
    log-average of the surfaces in view. Where lamps are the light, the log-average alone decides (Reinhard et al. 2002).

    Args:
        hdr: radiance [N, 4].
        surface: bool [N], false where the sky is seen.
        light: the light of the frame.
        key: brightness to aim for, as a share of a day's.
    """
    mean, bright = brightness(hdr, surface)
    if bright <= 0:
        return 1.0
    up = max(float(light.sun_direction[2]), 0.0)
    level = float(LUMINANCE @ np.array(list(light.sun))) * up / np.pi + float(LUMINANCE @ np.array(list(light.mean_sky)))
    if level <= 0 or (light.lamps > 0 and light.sun_radius < 0) or mean < 0.02 * level:
        return min(0.2 * key / mean, 6.0 / bright)
    return float(np.clip(0.16 / mean, 0.5 / level, 2.0 / level) * 0.5 + 0.5 / level) * DAY_EXPOSURE * key


def metered_exposure(hdr: np.ndarray, surface: np.ndarray, key: float = 1.0) -> float:
    """Exposure by the log-average of what is in view alone (Reinhard et al. 2002), whatever the unit of radiance; arguments as above."""
    mean, bright = brightness(hdr, surface)
    return min(0.2 * key / mean, 6.0 / bright) if bright > 0 else 1.0


def brightness(hdr: np.ndarray, surface: np.ndarray) -> tuple[float, float]:
    """Log-average and 99 % quantile of the luminance of the surfaces in view, of everything where there are none."""
    values = sum(hdr[:, c] * np.float32(LUMINANCE[c]) for c in range(3))
    values = values[surface] if surface.any() else values
    bright = float(np.partition(values, len(values) * 99 // 100)[len(values) * 99 // 100]) if len(values) else 0.0
    if bright <= 0:
        return 0.0, 0.0
    return float(np.exp(np.log(np.maximum(values, 1e-4 * bright)).mean(dtype=np.float64))), bright
