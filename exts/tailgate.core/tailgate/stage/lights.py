"""Read the lights of a stage (UsdLux): a sun, the sky, and lamps of every shape."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tailgate.stage.ies import read_profile
from tailgate.stage.images import is_image
from tailgate.stage.light_links import NO_LINKS, NOTHING, Links
from tailgate.stage.moment import moment
from tailgate.stage.poses import pose_of

if TYPE_CHECKING:
    from pxr import Usd, UsdGeom

SPHERE, RECT, DISK, CYLINDER, DISTANT = range(5)
KINDS = {"SphereLight": SPHERE, "RectLight": RECT, "DiskLight": DISK, "CylinderLight": CYLINDER, "DistantLight": DISTANT}
VECTORS = ("position", "across", "along", "axis", "side", "radiance", "tint")
NUMBERS, ROWS = ("radius", "size", "cone_full", "cone_end", "focus", "diffuse", "specular"), ("kind", "picture", "profile", "link", "casting")
WIDEST_SUN = np.deg2rad(5.0)
"""Angular diameter [rad] up to which all light of a sun comes from its middle where surfaces are shaded; wider ones are lamps."""
BLINDING = 1e20
"""Radiance that single precision can still square: lights of more are not honoured."""
LAMP = np.dtype([*((n, np.float32, 3) for n in VECTORS), *((n, np.float32) for n in NUMBERS), *((n, np.int32) for n in ROWS)])
"""A lamp in the world frame.

``position`` [m]; ``across`` and ``along``: half axes of a rectangle or disk, ``across`` half the axis of a cylinder [m]; ``axis``: unit direction of
emission, ``side``: unit x axis; ``radiance`` RGB, of a distant light the irradiance; ``radius`` [m] of a sphere or cylinder, 0 for a point, of a
distant light its angular radius [rad]; ``size``: what times the radiance is the intensity along ``axis`` [m^2]; ``cone_full``, ``cone_end`` [rad]:
where the cone begins to fade and ends; ``focus``, ``tint``: exponent and colour of its fall-off; ``diffuse``, ``specular``: factors on the light that
surfaces scatter and mirror; ``picture``, ``profile``: rows of ``Lights.pictures`` and ``profiles`` whose values are factors on the radiance, -1 for
none; ``link``, ``casting``: bits of the sets of what it lights and of what throws its shadow, 0 for everything.
"""


@dataclass(frozen=True)
class DomeImage:
    """A latitude-longitude image around the scene.

    Attributes:
        path: resolved path.
        R_image_world: rotation into the image's own frame: +y up, +z to the image's centre, +x to its left (OpenEXR), [3, 3].
        tint: RGB factor from the image's linear values to radiance.
    """

    path: str
    R_image_world: np.ndarray
    tint: np.ndarray


@dataclass(frozen=True)
class Lights:
    """Lights in the world frame, radiance and irradiance in one arbitrary linear unit.

    A light's emission is colour times intensity times 2^exposure, and the colour of its temperature where enabled: its radiance or, where
    ``normalize`` is set, its radiance times its area (a distant light's: its irradiance on a surface that faces it).

    Attributes:
        sun_direction: unit vector towards the sun, [3].
        sun: RGB irradiance, [3]; 0 without a sun.
        sun_angle: angular diameter [rad].
        sky: RGB radiance of domes without an image, [3].
        lamps: all others, ``LAMP`` [L].
        dome: image of the sky, or None.
        pictures: resolved paths of the images that rectangles show.
        profiles: resolved path and angle scale of photometric profiles.
        links: what the lamps shine on and what throws their shadows.
        natural: a dome is to look like a clear sky beside the sun: one of Tailgate's own, or one that asks for it by ``tailgate:sky``.
    """

    sun_direction: np.ndarray
    sun: np.ndarray
    sun_angle: float
    sky: np.ndarray
    lamps: np.ndarray
    dome: DomeImage | None = None
    natural: bool = False
    pictures: tuple[str, ...] = ()
    profiles: tuple[tuple[str, float], ...] = ()
    links: Links = NO_LINKS


def is_dome(prim: Usd.Prim) -> bool:
    """Whether a light is a dome, of either version of the schema."""
    return prim.GetTypeName() in ("DomeLight", "DomeLight_1")


def is_natural(prim: Usd.Prim) -> bool:
    """Whether a dome is meant as the sky of a day, see ``Lights.natural``."""
    asks = prim.GetAttribute("tailgate:sky")
    return str(prim.GetPath()).startswith("/Tailgate") or bool(asks and asks.Get())


def read(prim: Usd.Prim, name: str, default: Any) -> Any:
    """Value of a light's input at the stage's moment."""

    attribute = prim.GetAttribute(f"inputs:{name}")
    got = attribute.Get(moment(attribute)) if attribute else None
    return default if got is None else got


def asset_of(prim: Usd.Prim, name: str) -> str:
    """Path of a file that a light's input names, "" without one."""
    from pxr import Sdf

    asset = read(prim, name, None)
    return (asset.resolvedPath or asset.path) if isinstance(asset, Sdf.AssetPath) else ""


def image_file(prim: Usd.Prim) -> str:
    """Path of the image of a dome or rectangle, "" without one."""
    return asset_of(prim, "texture:file")


def profile_file(prim: Usd.Prim) -> tuple[str, float] | None:
    """Path and angle scale of the profile of a light with ``UsdLux.ShapingAPI``, None without one."""
    from pxr import UsdLux

    path = asset_of(prim, "shaping:ies:file") if prim.HasAPI(UsdLux.ShapingAPI) else ""
    return (path, float(read(prim, "shaping:ies:angleScale", 0.0))) if path else None


def emission(prim: Usd.Prim) -> np.ndarray:
    """Colour times intensity times 2^exposure, RGB [3]; the colour of its temperature included when enabled. 0 beyond ``BLINDING``."""
    got = unbounded(prim)
    return np.where(got < BLINDING, np.maximum(got, 0.0), 0.0)


def unbounded(prim: Usd.Prim) -> np.ndarray:
    """``emission`` as the inputs give it, however large."""
    from pxr import UsdLux

    colour = np.array(read(prim, "color", (1, 1, 1)), np.float64)
    if read(prim, "enableColorTemperature", False):
        colour = colour * np.array(UsdLux.BlackbodyTemperatureAsRgb(read(prim, "colorTemperature", 6500.0)))
    with np.errstate(over="ignore", invalid="ignore"):
        return colour * read(prim, "intensity", 1.0) * np.float64(2.0) ** read(prim, "exposure", 0.0)


def area_of(prim: Usd.Prim, M: np.ndarray) -> float:
    """Emitting area of a lamp of finite size under a linear map [3, 3]."""
    kind, r = prim.GetTypeName(), read(prim, "radius", 0.5)
    if kind in ("RectLight", "DiskLight"):
        own = read(prim, "width", 1.0) * read(prim, "height", 1.0) if kind == "RectLight" else np.pi * r * r
        return float(own * np.linalg.norm(np.cross(M[:, 0], M[:, 1])))
    if kind == "CylinderLight":
        return float(2 * np.pi * r * thickness(prim, M) * read(prim, "length", 1.0) * np.linalg.norm(M[:, 0]))
    return float(4 * np.pi * (r * thickness(prim, M)) ** 2)


def thickness(prim: Usd.Prim, M: np.ndarray) -> float:
    """Factor of a linear map [3, 3] on the radius of a sphere or cylinder: the geometric mean across it."""
    x = np.linalg.norm(M[:, 0])
    volume = abs(np.linalg.det(M))
    return float(np.cbrt(volume) if prim.GetTypeName() == "SphereLight" else np.sqrt(volume / max(x, 1e-30)))


def read_lights(prims: list[Usd.Prim], cache: UsdGeom.XformCache, T_world_stage: np.ndarray, links: Links = NO_LINKS) -> Lights:
    """Current state of the lights; invisible ones are left out. The first distant light of at most ``WIDEST_SUN`` that shines alike on everything,
    with all shadows, is the sun; others are lamps."""
    from pxr import UsdGeom

    sun, direction, angle, sky, dome = np.zeros(3), np.array([0.0, 0.0, 1.0]), 0.0093, np.zeros(3), None
    lamps, suns, natural, pictures, profiles = [], 0, False, {}, {}
    for prim in prims:
        if UsdGeom.Imageable(prim).ComputeVisibility(moment(prim)) == UsdGeom.Tokens.invisible:
            continue
        T = T_world_stage @ pose_of(prim, cache)
        if is_dome(prim):
            picture = read_dome(prim, T)
            if picture is None:
                sky, natural = sky + emission(prim), natural or is_natural(prim)
            elif dome is None and picture.tint.any():
                dome = picture
            continue
        lamp = read_lamp(prim, T)
        path = str(prim.GetPath())
        lamp["link"], lamp["casting"] = links.lit.get(path, 0), links.casting.get(path, 0) if read(prim, "shadow:enable", True) else NOTHING
        alike = lamp["link"] == lamp["casting"] == 0 and lamp["diffuse"] == lamp["specular"] == 1
        if lamp["kind"] == DISTANT and not suns and alike and 2 * lamp["radius"] <= WIDEST_SUN * 1.000001:
            suns, (angle, sun), direction = 1, distant(prim), T[:3, 2] / max(np.linalg.norm(T[:3, 2]), 1e-30)
        elif lamp["radiance"].any() and lamp["size"] > 0:
            file = image_file(prim)
            lamp["picture"] = pictures.setdefault(file, len(pictures)) if file and is_image(file) else -1
            lamp["profile"] = add_profile(prim, lamp, profiles)
            lamps.append(lamp)
    return Lights(direction, sun, float(angle), sky, np.array(lamps, LAMP), dome, natural, tuple(pictures), tuple(profiles), links)


def distant(prim: Usd.Prim) -> tuple[float, np.ndarray]:
    """Angular diameter [rad] of a distant light and its irradiance RGB [3] on a surface that faces it."""
    angle = float(np.deg2rad(max(read(prim, "angle", 0.53), 0.0)))
    half, share = min(angle / 2, np.pi), np.sin(min(angle / 2, np.pi)) ** 2
    if read(prim, "normalize", False) or half == 0:
        return angle, emission(prim) / (1.0 if half <= np.pi / 2 else 2.0 - share)
    return angle, emission(prim) * np.pi * (share if half <= np.pi / 2 else 1.0)


def is_latlong(prim: Usd.Prim) -> bool:
    """Whether a dome has an image that can be shown."""
    path = image_file(prim)
    return bool(path) and str(read(prim, "texture:format", "automatic")) in ("automatic", "latlong") and is_image(path)


def read_dome(prim: Usd.Prim, T: np.ndarray) -> DomeImage | None:
    """The image of a dome, or None when it has none that can be shown."""
    from pxr import UsdGeom

    path = image_file(prim)
    if not is_latlong(prim):
        return None
    R = T[:3, :3] / np.maximum(np.linalg.norm(T[:3, :3], axis=0), 1e-30)
    pole = prim.GetAttribute("poleAxis")
    axis = str(pole.Get()) if pole else "Y"
    if axis == "Z" or (axis == "scene" and UsdGeom.GetStageUpAxis(prim.GetStage()) == UsdGeom.Tokens.z):
        R = R @ np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
    return DomeImage(path, R.T, emission(prim))


def read_lamp(prim: Usd.Prim, T: np.ndarray) -> np.ndarray:
    """A light of finite size or a further distant one in the world frame: ``LAMP``."""
    lamp = np.zeros((), LAMP)
    lamp["kind"] = kind = KINDS[prim.GetTypeName()]
    lamp["position"], lamp["axis"] = T[:3, 3], -T[:3, 2] / max(np.linalg.norm(T[:3, 2]), 1e-30)
    lamp["side"] = T[:3, 0] / max(np.linalg.norm(T[:3, 0]), 1e-30)
    lamp["diffuse"], lamp["specular"] = (max(read(prim, name, 1.0), 0.0) for name in ("diffuse", "specular"))
    shape_cone(prim, lamp)
    if kind == DISTANT:
        angle, lamp["radiance"] = distant(prim)
        lamp["radius"], lamp["size"] = angle / 2, 1.0
        return lamp
    r, area, normalize = read(prim, "radius", 0.5) * thickness(prim, T[:3, :3]), area_of(prim, T[:3, :3]), read(prim, "normalize", False)
    if kind == SPHERE:
        point = area <= 0 or bool(prim.GetAttribute("treatAsPoint").Get(moment(prim)))
        lamp["size"] = 0.25 if normalize else area / 4
        lamp["radiance"] = emission(prim)
        if not point:
            lamp["radius"], lamp["size"] = r, area / 4
            lamp["radiance"] = emission(prim) / (area if normalize else 1.0)
        return lamp
    lamp["radiance"] = emission(prim) / (max(area, 1e-12) if normalize else 1.0)
    if kind == CYLINDER:
        lamp["across"], lamp["radius"] = T[:3, 0] * read(prim, "length", 1.0) / 2, r
        lamp["size"] = area / np.pi
    else:
        width, height = (read(prim, "width", 1.0), read(prim, "height", 1.0)) if kind == RECT else (2 * read(prim, "radius", 0.5),) * 2
        lamp["across"], lamp["along"], lamp["size"] = T[:3, 0] * width / 2, T[:3, 1] * height / 2, area
        square = np.cross(T[:3, 0], T[:3, 1])
        lamp["axis"] = square * (-np.sign(square @ T[:3, 2]) / max(np.linalg.norm(square), 1e-30))
    return lamp


def add_profile(prim: Usd.Prim, lamp: np.ndarray, rows: dict[tuple[str, float], int]) -> int:
    """Multiply a lamp's radiance by the mean of its profile, or normalized by what keeps its power; row of the profile, -1 without one."""
    file = profile_file(prim) if lamp["kind"] != DISTANT else None
    profile = read_profile(*file) if file else None
    if profile is None:
        return -1
    lamp["radiance"] *= profile.share if read(prim, "shaping:ies:normalize", False) else profile.mean
    return rows.setdefault(file, len(rows))


def shape_cone(prim: Usd.Prim, lamp: np.ndarray) -> None:
    """Cone and focus of a light with ``UsdLux.ShapingAPI``; an angle of 90 degrees, its default, lets a sphere shine forward alone, one of 180 cuts
    nothing."""
    from pxr import UsdLux

    shaped = prim.HasAPI(UsdLux.ShapingAPI)
    end = float(np.deg2rad(max(read(prim, "shaping:cone:angle", 90.0), 0.0))) if shaped else np.pi
    softness = float(np.clip(read(prim, "shaping:cone:softness", 0.0), 0.0, 1.0)) if shaped else 0.0
    lamp["cone_end"] = end if end < np.deg2rad(179.999) else 10.0
    lamp["cone_full"] = (1.0 - softness) * lamp["cone_end"]
    lamp["focus"] = max(read(prim, "shaping:focus", 0.0), 0.0) if shaped else 0.0
    lamp["tint"] = read(prim, "shaping:focusTint", (0, 0, 0)) if shaped else (0, 0, 0)
