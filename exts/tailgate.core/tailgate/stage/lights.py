"""Read the lights of a stage: distant (sun), dome (sky) and sphere (lamps)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from pxr import Usd, UsdGeom


@dataclass(frozen=True)
class Lights:
    """Lights in the world frame.

    A distant light's ``intensity`` is the irradiance on a surface that faces it, a dome's is its radiance, a sphere's is the radiance of its
    surface (divided by its area when ``normalize`` is set), each times colour and 2^exposure, in one arbitrary unit.

    Attributes:
        sun_direction: unit vector towards the sun, [3].
        sun: RGB irradiance, [3]; 0 without a sun.
        sun_angle: angular diameter [rad].
        sky: RGB radiance, [3].
        lamp_position: [L, 3] m.
        lamp: RGB radiance of the lamp's surface, [L, 3].
        lamp_radius: [L] m.
    """

    sun_direction: np.ndarray
    sun: np.ndarray
    sun_angle: float
    sky: np.ndarray
    lamp_position: np.ndarray
    lamp: np.ndarray
    lamp_radius: np.ndarray


def light_prims(stage: Usd.Stage, skipped: set[str]) -> list[Usd.Prim]:
    """Lights that can be honoured, in path order; the others are named in ``skipped``."""
    from pxr import Usd, UsdLux

    kept, suns, skies = [], 0, 0
    for prim in Usd.PrimRange(stage.GetPseudoRoot(), Usd.TraverseInstanceProxies()):
        if not prim.HasAPI(UsdLux.LightAPI):
            continue
        suns += prim.IsA(UsdLux.DistantLight)
        skies += prim.IsA(UsdLux.DomeLight)
        if prim.IsA(UsdLux.DistantLight) and suns > 1:
            skipped.add(f"light {prim.GetPath()}: only one DistantLight is honoured")
        elif prim.IsA(UsdLux.DomeLight) and skies > 1:
            skipped.add(f"light {prim.GetPath()}: only one DomeLight is honoured")
        elif prim.IsA(UsdLux.DistantLight) or prim.IsA(UsdLux.DomeLight) or prim.IsA(UsdLux.SphereLight):
            kept.append(prim)
            if prim.IsA(UsdLux.DomeLight) and UsdLux.DomeLight(prim).GetTextureFileAttr().Get():
                skipped.add(f"light {prim.GetPath()}: the dome's texture is not shown, its colour is")
        else:
            skipped.add(f"light {prim.GetPath()}: {prim.GetTypeName()} is not honoured")
    return sorted(kept, key=lambda p: p.GetPath())


def radiance(prim: Usd.Prim) -> np.ndarray:
    """Colour times intensity times 2^exposure, [3]; colour temperature included when enabled."""
    from pxr import UsdLux

    light = UsdLux.LightAPI(prim)
    colour = np.array(light.GetColorAttr().Get(), np.float64)
    if light.GetEnableColorTemperatureAttr().Get():
        colour = colour * np.array(UsdLux.BlackbodyTemperatureAsRgb(light.GetColorTemperatureAttr().Get()))
    return colour * light.GetIntensityAttr().Get() * 2.0 ** light.GetExposureAttr().Get()


def read_lights(prims: list[Usd.Prim], cache: UsdGeom.XformCache, T_world_stage: np.ndarray) -> Lights:
    """Current state of the lights; invisible ones are left out."""
    from pxr import UsdGeom, UsdLux

    sun, direction, angle, sky = np.zeros(3), np.array([0.0, 0.0, 1.0]), 0.0093, np.zeros(3)
    lamps: list[tuple] = []
    for prim in prims:
        if UsdGeom.Imageable(prim).ComputeVisibility() == UsdGeom.Tokens.invisible:
            continue
        T = T_world_stage @ np.array(cache.GetLocalToWorldTransform(prim)).T
        if prim.IsA(UsdLux.DistantLight):
            sun, direction = radiance(prim), T[:3, 2] / np.linalg.norm(T[:3, 2])
            angle = np.deg2rad(UsdLux.DistantLight(prim).GetAngleAttr().Get())
        elif prim.IsA(UsdLux.DomeLight):
            sky = radiance(prim)
        else:
            sphere = UsdLux.SphereLight(prim)
            radius = sphere.GetRadiusAttr().Get() * float(np.cbrt(abs(np.linalg.det(T[:3, :3]))))
            area = 4 * np.pi * radius**2 if UsdLux.LightAPI(prim).GetNormalizeAttr().Get() else 1.0
            lamps.append((T[:3, 3], radiance(prim) / max(area, 1e-9), radius))
    position, colour, size = (np.array([lamp[k] for lamp in lamps], np.float64) for k in range(3))
    return Lights(direction, sun, float(angle), sky, position.reshape(-1, 3), colour.reshape(-1, 3), size)
