"""Which lights of a stage can be honoured, and what of them is passed over."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tailgate.errors import close_file
from tailgate.stage.ies import read_profile
from tailgate.stage.images import is_image
from tailgate.stage.light_links import linked
from tailgate.stage.lights import BLINDING, KINDS, area_of, asset_of, emission, image_file, is_dome, is_latlong, profile_file, read, unbounded
from tailgate.stage.moment import moment
from tailgate.stage.poses import pose_of
from tailgate.stage.values import fits, kind_of
from tailgate.turns import breathe

if TYPE_CHECKING:
    from pxr import Usd

    from tailgate.stage.walk import Notes

SIZES = ("radius", "width", "height", "length", "angle")
SHADOWS = {"color": (0.0, 0.0, 0.0), "distance": -1.0, "falloff": -1.0, "falloffGamma": 1.0}
"""Settings of ``UsdLux.ShadowAPI`` and what they are unless told."""
NO_LIGHT = "it is not honoured; what shines are the other lights of UsdLux and meshes whose material has an emission"


def light_prims(stage: Usd.Stage, notes: Notes) -> list[Usd.Prim]:
    """Lights that can be honoured, in path order; the others are named in ``notes``."""
    from pxr import Usd, UsdLux

    kept, pictured, copied = [], "", ""
    for prim in Usd.PrimRange(stage.GetPseudoRoot(), Usd.TraverseInstanceProxies()):
        breathe()
        copied = str(prim.GetPath()) if prim.GetTypeName() == "PointInstancer" and not below(prim, copied) else copied
        if not prim.HasAPI(UsdLux.LightAPI):
            continue
        where = f"light {prim.GetPath()}:"
        if below(prim, copied):
            notes.add(f"{where} lights that a PointInstancer copies are not honoured")
            continue
        if wrong := unfit(prim):
            notes.add(f"{where} {wrong}; the light is not honoured", "lights")
            continue
        if prim.GetTypeName() not in KINDS and not is_dome(prim):
            mesh = "its mesh shines by its material alone" if prim.GetTypeName() == "Mesh" else NO_LIGHT
            notes.add(f"{where} {prim.GetTypeName()} is no light this renderer knows, {mesh}")
            continue
        if is_dome(prim) and shown_image(prim):
            if pictured:
                notes.add(f"{where} only one dome with an image is honoured, {pictured}")
            pictured = pictured or str(prim.GetPath())
        kept.append(prim)
        check(prim, where, notes)
    return sorted(kept, key=lambda p: p.GetPath())


def check(prim: Usd.Prim, where: str, notes: Notes) -> None:
    """Name what of a light is passed over."""
    for name, plain in (("diffuse", 1.0), ("specular", 1.0), ("shadow:enable", True)):
        if is_dome(prim) and read(prim, name, plain) != plain:
            notes.add(f"{where} inputs:{name} is not honoured")
    if is_dome(prim) or prim.GetTypeName() == "DistantLight":
        if asset_of(prim, "shaping:ies:file"):
            notes.add(f"{where} inputs:shaping:ies:file is not honoured, it has no place to shine from")
    elif (profile := profile_file(prim)) and read_profile(*profile) is None:
        words = f"inputs:shaping:ies:file must be a profile of type C by LM-63, and file {profile[0]} is not one{close_file(profile[0])}"
        notes.add(f"{where} {words}; it shines without", "lights")
    if prim.GetRelationship("light:filters").HasAuthoredTargets():
        notes.add(f"{where} light filters are not honoured")
    for name in ("intensity", "exposure", "color", "texture:file", *SIZES):
        if prim.HasAttribute(name):
            notes.add(f"{where} {name} is of an old schema and is not read, inputs:{name} is")
    if is_dome(prim) and linked(prim, "shadowLink"):
        notes.add(f"{where} everything throws its shadow, shadow linking of domes is not honoured")
    if is_dome(prim) and linked(prim, "lightLink"):
        notes.add(f"{where} it lights everything, light linking of domes is not honoured")
    file, shape = image_file(prim), str(read(prim, "texture:format", "automatic"))
    if file and shape not in ("automatic", "latlong"):
        notes.add(f"{where} texture format {shape} is not shown, its colour is")
    elif file and not is_image(file):
        notes.add(f"{where} texture must be a readable image, and file {file} is not one{close_file(file)}; its colour is shown", "lights")
    check_shadow(prim, where, notes)
    if not is_dome(prim) and prim.GetTypeName() != "DistantLight":
        check_shape(prim, where, notes)


def check_shadow(prim: Usd.Prim, where: str, notes: Notes) -> None:
    """Name settings of shadows, cones and portals that are passed over."""
    for name, plain in SHADOWS.items():
        if read(prim, f"shadow:{name}", plain) != plain:
            notes.add(f"{where} inputs:shadow:{name} is not honoured, its shadows are black and reach everywhere")
    if is_dome(prim) and prim.GetRelationship("portals").GetTargets():
        notes.add(f"{where} portals are not honoured, it shines from everywhere")
    line = prim.GetAttribute("treatAsLine")
    if line and line.Get(moment(prim)):
        notes.add(f"{where} treatAsLine is not honoured, it shines as the tube that its radius makes")
    if prim.GetTypeName() == "DistantLight" or is_dome(prim):
        for name in ("cone:angle", "cone:softness", "focus", "focusTint"):
            if prim.GetAttribute(f"inputs:shaping:{name}").HasAuthoredValue():
                notes.add(f"{where} inputs:shaping:{name} is not honoured, it has no place to shine from")


def check_shape(prim: Usd.Prim, where: str, notes: Notes) -> None:
    """Name lamps without an area, and those that their transform makes to what no lamp is."""
    from pxr import UsdGeom

    kind, M = prim.GetTypeName(), pose_of(prim, UsdGeom.XformCache(moment(prim)))[:3, :3]
    if area_of(prim, M) <= 0 and not (kind == "SphereLight" and read(prim, "normalize", False)):
        notes.add(f"{where} a light without an area emits nothing{' unless inputs:normalize is set' if kind == 'SphereLight' else ''}", "lights")
        return
    wide = np.linalg.norm(M, axis=0)[1 if kind == "CylinderLight" else 0 :]
    if kind in ("SphereLight", "CylinderLight") and np.ptp(wide) > 1e-3 * wide.max():
        notes.add(f"{where} its transform makes it an ellipsoid or oval, it shines as {'a sphere' if kind == 'SphereLight' else 'a cylinder'} does")


def below(prim: Usd.Prim, path: str) -> bool:
    """Whether a prim lies below a path, "" for none."""
    return bool(path) and str(prim.GetPath()).startswith(f"{path}/")


def unfit(prim: Usd.Prim) -> str:
    """What of a light makes no sense, "" where all does."""
    from pxr import UsdGeom

    now = moment(prim)
    if not np.isfinite(pose_of(prim, UsdGeom.XformCache(now))).all():
        return "its transform must be finite"
    known = prim.GetPrimDefinition()
    for name in (a.GetName() for a in prim.GetAttributes() if a.GetName().startswith("inputs:") and a.HasAuthoredValue()):
        got, default = prim.GetAttribute(name).Get(now), known.GetAttributeFallbackValue(name)
        if None in (got, default):
            continue
        if not fits(got, default):
            return f"{name} must be {kind_of(default)}, got {got}"
        if name.removeprefix("inputs:") in SIZES and not 0 <= got < 1e9:
            return f"{name} must be from 0 to 1e9, got {got:g}"
    if not (bright := unbounded(prim).max()) < BLINDING:
        return f"colour, intensity and exposure must make less than {BLINDING:g}, got {bright:g}"
    return ""


def shown_image(prim: Usd.Prim) -> bool:
    """Whether a dome shines with an image at the stage's moment."""
    from pxr import UsdGeom

    visible = UsdGeom.Imageable(prim).ComputeVisibility(moment(prim)) != UsdGeom.Tokens.invisible
    return visible and is_latlong(prim) and bool(emission(prim).any())
