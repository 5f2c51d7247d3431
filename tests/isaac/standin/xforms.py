"""Poses and values of prims, as Kit writes them: scale, orient (a quaternion), translate."""

from __future__ import annotations

from typing import Any

import numpy as np


def place(prim: Any, translation: Any = None, orientation: Any = None, scale: Any = None) -> None:
    """Set the local pose; ``orientation`` is (w, x, y, z). Ops are translate, orient, scale in USD's order; a matrix op is replaced."""
    from pxr import Gf, UsdGeom

    xform = UsdGeom.Xformable(prim)
    held = {op.GetOpName(): op for op in xform.GetOrderedXformOps()}
    if any(not name.endswith(("translate", "orient", "scale")) for name in held):
        T = np.array(xform.GetLocalTransformation())
        xform.ClearXformOpOrder()
        held = {}
        size = np.linalg.norm(T[:3, :3], axis=1)
        turn = Gf.Matrix4d(T.tolist()).RemoveScaleShear().ExtractRotationQuat()
        translation = T[3, :3] if translation is None else translation
        orientation = [turn.GetReal(), *turn.GetImaginary()] if orientation is None else orientation
        scale = size if scale is None else scale
    precision = UsdGeom.XformOp.PrecisionDouble
    for name, make, value, empty in (
        ("xformOp:translate", xform.AddTranslateOp, translation, (0.0, 0.0, 0.0)),
        ("xformOp:orient", xform.AddOrientOp, orientation, (1.0, 0.0, 0.0, 0.0)),
        ("xformOp:scale", xform.AddScaleOp, scale, (1.0, 1.0, 1.0)),
    ):
        made = held.get(name)
        if made is None:
            made = make(precision)
            value = empty if value is None else value
        if value is None:
            continue
        v = [float(x) for x in value]
        kind = type(made.Get()) if made.Get() is not None else None
        if len(v) == 4:
            made.Set((kind or Gf.Quatd)(v[0], *v[1:]))
        else:
            made.Set((kind or Gf.Vec3d)(*v))


def value_type(value: Any) -> Any:
    """USD's type of a plain value."""
    from pxr import Sdf

    names = Sdf.ValueTypeNames
    if isinstance(value, bool):
        return names.Bool
    if isinstance(value, int):
        return names.Int
    if isinstance(value, float):
        return names.Float
    if isinstance(value, str):
        return names.Token
    held = np.asarray(value)
    if held.ndim == 1 and held.dtype.kind in "fiu":
        return names.FloatArray if held.dtype.kind == "f" else names.IntArray
    if held.ndim == 1 and held.dtype.kind in "US":
        return names.TokenArray
    raise TypeError(f"no USD type for {value!r}")


def look_at(eye: np.ndarray, target: np.ndarray, up: np.ndarray) -> list[float]:
    """Quaternion (w, x, y, z) that turns a camera (looks along -z, y up) at ``eye`` towards ``target``."""
    from pxr import Gf

    view = Gf.Matrix4d().SetLookAt(Gf.Vec3d(*map(float, eye)), Gf.Vec3d(*map(float, target)), Gf.Vec3d(*map(float, up)))
    turn = view.GetInverse().ExtractRotationQuat()
    return [turn.GetReal(), *turn.GetImaginary()]
