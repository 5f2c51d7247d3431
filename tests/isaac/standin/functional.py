"""omni.replicator.core.functional: plain edits of the stage, done at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from tailgate.stage.labels import SCHEMA, set_labels

from .checks import NoBehaviour, behaves, behaves_by_name
from .products import prim_path
from .sim import sim
from .xforms import look_at, place

F = "omni.replicator.core.functional."
ORDERS = ("XYZ", "XZY", "YXZ", "YZX", "ZXY", "ZYX")


def prims_of(prims: Any) -> list[Any]:
    """Prims given as one or many, prim or path."""
    many = prims if isinstance(prims, (list, tuple)) else [prims]
    out = [sim().stage.GetPrimAtPath(prim_path(p)) for p in many]
    if not all(out):
        raise ValueError(f"{many[[bool(p) for p in out].index(False)]} is not a prim of the stage")
    return out


def free_path(name: str, parent: Any = None) -> str:
    """A path that no prim has."""
    root = prim_path(parent) if parent is not None else "/Replicator"
    out, n = f"{root}/{name}", 0
    while sim().stage.GetPrimAtPath(out):
        n += 1
        out = f"{root}/{name}_{n:02d}"
    return out


def euler(angles: Any, order: str | None) -> list[float]:
    """Quaternion (w, x, y, z) of rotations [deg] about x, y, z, carried out in the order's sequence."""
    from pxr import Gf

    if len(angles) == 4:
        return [float(v) for v in angles]
    order = order or "XYZ"
    if order not in ORDERS:
        raise ValueError(f"rotation_order must be one of {', '.join(ORDERS)}, got {order!r}")
    axes = {"X": Gf.Vec3d(1, 0, 0), "Y": Gf.Vec3d(0, 1, 0), "Z": Gf.Vec3d(0, 0, 1)}
    turn = Gf.Rotation(Gf.Vec3d(1, 0, 0), 0)
    for letter in order:
        turn = turn * Gf.Rotation(axes[letter], float(angles["XYZ".index(letter)]))
    quat = turn.GetQuat()
    return [quat.GetReal(), *quat.GetImaginary()]


def _each(value: Any, count: int, width: tuple[int, ...]) -> list[Any]:
    """One value per prim, of one that all share or of a list of them."""
    if value is None:
        return [None] * count
    held = np.asarray(value, float)
    if held.ndim == 0:
        return [np.full(3, float(held))] * count
    if held.ndim == 1:
        if held.size not in width:
            raise ValueError(f"a value must have {' or '.join(map(str, width))} numbers, got {held.size}")
        return [held] * count
    if len(held) != count:
        raise ValueError(f"there must be one value per prim, {count}, got {len(held)}")
    return list(held)


def pose_values(prims: list[Any], position: Any, rotation: Any, scale: Any, order: str | None = None) -> None:
    """Set local poses."""
    rows = (_each(position, len(prims), (3,)), _each(rotation, len(prims), (3, 4)), _each(scale, len(prims), (3,)))
    for prim, where, turn, size in zip(prims, *rows, strict=True):
        place(prim, where, None if turn is None else euler(turn, order), size)


@behaves_by_name(F + "modify.pose")
def pose(prims, position_value=None, rotation_value=None, rotation_order=None, scale_value=None, relative_to=None, look_at_value=None, **more):
    if relative_to is not None or more.get("pivot") is not None:
        raise NoBehaviour("the stand-in has no behaviour for relative_to and pivot of modify.pose")
    held = prims_of(prims)
    pose_values(held, position_value, rotation_value, scale_value, rotation_order)
    if look_at_value is not None:
        for prim, target in zip(held, _each(look_at_value, len(held), (3,)), strict=True):
            turn_to(prim, target, more.get("look_at_up_axis", (0, 1, 0)))


def turn_to(prim: Any, target: Any, up: Any) -> None:
    """Turn a prim's -z towards a point."""
    from pxr import Usd, UsdGeom

    where = np.array(UsdGeom.XformCache(Usd.TimeCode.EarliestTime()).GetLocalToWorldTransform(prim))[3, :3]
    place(prim, None, look_at(where, np.asarray(target, float), np.asarray(up, float)))


@behaves(F + "modify.scale")
def scale(prims, value, relative_to=None):
    pose(prims, scale_value=value, relative_to=relative_to)


@behaves(F + "modify.attribute")
def attribute(prims, attribute_name, value):
    for prim in prims_of(prims):
        held = prim.GetAttribute(attribute_name)
        if not held:
            raise ValueError(f"{prim.GetPath()} has no attribute {attribute_name!r}")
        held.Set(value)


@behaves(F + "modify.visibility")
def visibility(prims, value):
    from pxr import UsdGeom

    for prim in prims_of(prims):
        UsdGeom.Imageable(prim).GetVisibilityAttr().Set("inherited" if value else "invisible")


@behaves(F + "modify.semantics")
def semantics(prims, value=None, mode="add"):
    from .labels import own_labels

    if mode not in ("add", "replace", "clear"):
        raise ValueError(f"mode must be add, replace or clear, got {mode!r}")
    for prim in prims_of(prims):
        held = {} if mode in ("replace", "clear") else own_labels(prim)
        if mode != "add":
            clear_labels(prim)
        for taxonomy, names in (value or {}).items():
            names = [names] if isinstance(names, str) else list(names)
            set_labels(prim, taxonomy, [*held.get(taxonomy, []), *names])


def clear_labels(prim: Any, taxonomy: str | None = None) -> None:
    """Remove the labels of one taxonomy, or of all."""
    for schema in list(map(str, prim.GetAppliedSchemas())):
        name, _, own = schema.partition(":")
        if name == SCHEMA and (taxonomy is None or own == taxonomy):
            prim.RemoveAppliedSchema(schema)
            prim.RemoveProperty(f"semantics:labels:{own}")


@behaves(F + "modify.material")
def material(prims, material_prim):
    from pxr import UsdShade

    bound = UsdShade.Material(prims_of(material_prim)[0])
    for prim in prims_of(prims):
        UsdShade.MaterialBindingAPI.Apply(prim).Bind(bound, UsdShade.Tokens.strongerThanDescendants)


@behaves_by_name(F + "get.prims")
def get_prims(stage, path_pattern=None, path_match=None, prim_types=None, semantics=None, ignore_case=False, **more):
    import re

    from .labels import own_labels

    if any(v is not None for v in more.values()):
        raise NoBehaviour("the stand-in has no behaviour for the exclusions of functional.get.prims")
    flags = re.IGNORECASE if ignore_case else 0
    kinds = [prim_types] if isinstance(prim_types, str) else prim_types
    out = []
    for prim in stage.Traverse():
        path = str(prim.GetPath())
        if path_pattern is not None and not re.search(path_pattern, path, flags):
            continue
        if path_match is not None and path_match not in path:
            continue
        if kinds is not None and prim.GetTypeName() not in kinds:
            continue
        if semantics is not None and not any(n in own_labels(prim).get(t, []) for t, n in semantics):
            continue
        out.append(prim)
    return out


# create ---------------------------------------------------------------------------------------------------------------------------------------------

SHAPES = {"cube": "Cube", "sphere": "Sphere", "cylinder": "Cylinder", "cone": "Cone", "xform": "Xform", "scope": "Scope"}
LIGHTS = {"dome_light": "DomeLight", "distant_light": "DistantLight", "sphere_light": "SphereLight", "rect_light": "RectLight"}


def _common(prim: Any, how: dict[str, Any]) -> Any:
    """What all creators take: pose, labels, visibility, material."""
    if how.get("relative_to") is not None or how.get("pivot") is not None:
        raise NoBehaviour("the stand-in has no behaviour for relative_to and pivot")
    if prim.GetTypeName() != "Scope":
        pose_values([prim], how.get("position"), how.get("rotation"), how.get("scale"))
    if how.get("look_at") is not None:
        turn_to(prim, how["look_at"], how.get("look_at_up_axis") or (0, 1, 0))
    if how.get("semantics"):
        held = how["semantics"]
        semantics([prim], dict(held) if not isinstance(held, dict) else held)
    if how.get("visible") is False:
        visibility([prim], False)
    if how.get("material") is not None:
        material([prim], how["material"])
    return prim


def _shape(name: str, kind: str) -> None:
    def create(position=None, scale=None, rotation=None, **how: Any) -> Any:
        where = free_path(how.get("name") or kind, how.get("parent"))
        return _common(sim().stage.DefinePrim(where, kind), {**how, "position": position, "scale": scale, "rotation": rotation})

    def only_named(name=None, parent=None) -> Any:
        return sim().stage.DefinePrim(free_path(name or kind, parent), kind)

    made = behaves_by_name(F + "create." + name)(only_named if kind == "Scope" else create)
    behaves(F + "create_batch." + name)(_batch(made))


def _batch(create: Callable[..., Any]) -> Callable[..., list[Any]]:
    def batch(*, count=1, **how: Any) -> list[Any]:
        out = []
        for n in range(count):
            own = {k: (v[n] if isinstance(v, (list, np.ndarray)) and np.ndim(v) == 2 else v) for k, v in how.items()}
            out.append(create(**own))
        return out

    return batch


for _name, _kind in SHAPES.items():
    _shape(_name, _kind)


@behaves_by_name(F + "create.plane")
def plane(position=None, scale=None, rotation=None, **how):
    """A square of two units, level, as a mesh."""
    from pxr import UsdGeom

    made = UsdGeom.Mesh.Define(sim().stage, free_path(how.get("name") or "Plane", how.get("parent")))
    made.CreatePointsAttr([(-1, -1, 0), (1, -1, 0), (1, 1, 0), (-1, 1, 0)])
    made.CreateFaceVertexCountsAttr([4])
    made.CreateFaceVertexIndicesAttr([0, 1, 2, 3])
    made.CreateSubdivisionSchemeAttr("none")
    return _common(made.GetPrim(), {**how, "position": position, "scale": scale, "rotation": rotation})


behaves(F + "create_batch.plane")(_batch(plane))


def _light(name: str, kind: str) -> None:
    def create(**how: Any) -> Any:
        from pxr import Sdf

        prim = sim().stage.DefinePrim(free_path(how.get("name") or kind, how.get("parent")), kind)
        names = Sdf.ValueTypeNames
        exposure = how.get("exposure", 1.0 if kind == "DomeLight" else None)
        values = {"intensity": how.get("intensity", 1000.0 if kind == "DomeLight" else 30000.0), "exposure": exposure or 0.0}
        values |= {key: how[key] for key in ("radius", "width", "height", "angle", "diffuse", "specular") if key in how}
        for key, value in values.items():
            prim.CreateAttribute(f"inputs:{key}", names.Float).Set(float(value))
        prim.CreateAttribute("inputs:color", names.Color3f).Set(tuple(float(c) for c in how.get("color", (1.0, 1.0, 1.0))))
        prim.CreateAttribute("inputs:enableColorTemperature", names.Bool).Set(bool(how.get("enable_color_temperature", False)))
        prim.CreateAttribute("inputs:colorTemperature", names.Float).Set(float(how.get("color_temperature", 6500)))
        if how.get("texture") is not None:
            prim.CreateAttribute("inputs:texture:file", names.Asset).Set(str(how["texture"]))
            prim.CreateAttribute("inputs:texture:format", names.Token).Set(how.get("texture_format", "latlong"))
        return _common(prim, how)

    behaves_by_name(F + "create." + name)(create)


for _name, _kind in LIGHTS.items():
    _light(_name, _kind)


def _camera(**how: Any) -> Any:
    from pxr import Gf, UsdGeom

    if how.get("projection_type", "pinhole") != "pinhole":
        raise NoBehaviour("the stand-in has no behaviour for cameras other than pinholes")
    made = UsdGeom.Camera.Define(sim().stage, free_path(how.get("name") or "Camera", how.get("parent")))
    made.CreateFocalLengthAttr(float(how.get("focal_length", 24.0)))
    made.CreateFocusDistanceAttr(float(how.get("focus_distance", 400.0)))
    made.CreateFStopAttr(float(how.get("f_stop", 0.0)))
    made.CreateHorizontalApertureAttr(float(how.get("horizontal_aperture", 20.955)))
    made.CreateHorizontalApertureOffsetAttr(float(how.get("horizontal_aperture_offset", 0.0)))
    made.CreateVerticalApertureOffsetAttr(float(how.get("vertical_aperture_offset", 0.0)))
    made.CreateClippingRangeAttr(Gf.Vec2f(*how.get("clipping_range", (1.0, 1000000.0))))
    return _common(made.GetPrim(), how)


behaves_by_name(F + "create.camera")(_camera)


@behaves_by_name(F + "create.reference")
def reference(usd_path=None, prim_path=None, position=None, scale=None, rotation=None, **how):
    prim = sim().stage.DefinePrim(free_path(how.get("name") or "Ref", how.get("parent")), "Xform")
    prim.GetReferences().AddReference(str(usd_path), *([prim_path] if prim_path else []))
    return _common(prim, {**how, "position": position, "scale": scale, "rotation": rotation})
