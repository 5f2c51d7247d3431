"""USD cameras as the renderer's camera models, with the lens schemas of Isaac Sim."""

from __future__ import annotations

from typing import Any

import numpy as np
from tailgate.config.camera import CameraModel, Lens
from tailgate.stage.cameras import read_camera
from tailgate.stage.extract import world_correction
from tailgate.stage.walk import Notes

from .lidar_model import schemas_of

LENSES = {
    "opencvPinhole": ("brown_conrady", ("k1", "k2", "p1", "p2", "k3", "k4", "k5", "k6")),
    "opencvFisheye": ("kannala_brandt", ("k1", "k2", "k3", "k4")),
}
"""Value of ``omni:lensdistortion:model`` -> Tailgate's lens and its coefficients in order. The attribute names' model part is the same word."""
SCHEMAS = {"opencvPinhole": "OmniLensDistortionOpenCvPinholeAPI", "opencvFisheye": "OmniLensDistortionOpenCvFisheyeAPI"}


def model_of(stage: Any, path: str, resolution: tuple[int, int]) -> tuple[CameraModel, np.ndarray]:
    """Camera model and T_world_camera (optical axes, metres) of a camera prim at a resolution (W, H). Pixels are square, whatever the vertical
    aperture says."""
    width, height = resolution
    model, pose = read_camera(stage, path, width, Notes())
    from pxr import Usd, UsdGeom

    prim = UsdGeom.Camera(stage.GetPrimAtPath(path))
    now = Usd.TimeCode.EarliestTime()
    focal, up = float(prim.GetFocalLengthAttr().Get(now)), float(prim.GetVerticalApertureOffsetAttr().Get(now))
    change: dict[str, Any] = {"height": height, "fy": model.fx, "cy": (height - 1) / 2 + model.fx * up / focal}
    change.update(_lens(prim.GetPrim()))
    return model.model_copy(update=change), pose


def _lens(prim: Any) -> dict[str, Any]:
    """Intrinsics and lens of an OpenCV schema, {} without one."""
    chosen = prim.GetAttribute("omni:lensdistortion:model")
    name = str(chosen.Get()) if chosen and chosen.HasAuthoredValue() else ""
    if not name or name == "pinhole":
        return {}
    if name not in LENSES:
        raise NotImplementedError(f"the stand-in has no behaviour for the lens {name!r}; it has {', '.join(LENSES)}")
    if not any(str(s).split(":")[0] == SCHEMAS[name] for s in schemas_of(prim)):
        return {}
    kind, order = LENSES[name]
    held = {a.GetName().rsplit(":", 1)[-1]: a.Get() for a in prim.GetAttributes() if a.GetName().startswith(f"omni:lensdistortion:{name}:")}
    coefficients = [float(held.get(key, 0.0) or 0.0) for key in order]
    while kind == "brown_conrady" and len(coefficients) > 4 and coefficients[-1] == 0.0:
        coefficients.pop()
    if kind == "brown_conrady" and len(coefficients) > 5:
        coefficients += [0.0] * (8 - len(coefficients))
    out: dict[str, Any] = {"lens": Lens(model=kind, coefficients=coefficients) if any(coefficients) else None}
    for key in ("fx", "fy", "cx", "cy"):
        if held.get(key):
            out[key] = float(held[key]) - (0.5 if key in ("cx", "cy") else 0.0)
    return out


def camera_values(stage: Any, path: str) -> dict[str, Any]:
    """Values of the camera prim that ``camera_params`` gives, in stage units; ``T`` is local to world for row vectors [4, 4]."""
    from pxr import Usd, UsdGeom

    prim = UsdGeom.Camera(stage.GetPrimAtPath(path))
    now = Usd.TimeCode.EarliestTime()
    names = "FocalLength HorizontalAperture VerticalAperture HorizontalApertureOffset VerticalApertureOffset FocusDistance FStop ClippingRange"
    out = {name: getattr(prim, f"Get{name}Attr")().Get(now) for name in names.split()}
    T = np.array(UsdGeom.XformCache(now).GetLocalToWorldTransform(prim.GetPrim()))
    T[:3, :3] /= np.linalg.norm(T[:3, :3], axis=1, keepdims=True)
    metres = float(UsdGeom.GetStageMetersPerUnit(stage))
    return {**out, "T": T, "metres": metres, "R_world_stage": world_correction(stage)[:3, :3] / metres}
