"""Read the cameras of a stage (UsdGeomCamera) as camera models."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tailgate.config.camera import CameraModel
from tailgate.config.load import validate
from tailgate.errors import UserError, nearest
from tailgate.stage.extract import world_correction
from tailgate.stage.moment import moment
from tailgate.stage.poses import pose_of
from tailgate.stage.values import fits, kind_of

if TYPE_CHECKING:
    from pxr import Usd, UsdGeom

    from tailgate.stage.walk import Notes

WIDEST_MM = 1000
"""Openings beyond this are a unit that was mistaken, not a lens [mm]."""
T_USD_OPTICAL = np.diag([1.0, -1.0, -1.0, 1.0])
"""From optical axes (x right, y down, z ahead) to a USD camera's (x right, y up, z back)."""


def stage_cameras(stage: Usd.Stage) -> list[str]:
    """Paths of all cameras, those in instances included, sorted."""
    from pxr import Usd

    every = Usd.PrimRange(stage.GetPseudoRoot(), Usd.TraverseInstanceProxies())
    return sorted(str(prim.GetPath()) for prim in every if prim.GetTypeName() == "Camera")


def read_camera(stage: Usd.Stage, path: str, width: int, notes: Notes) -> tuple[CameraModel, np.ndarray]:
    """Camera of a stage at its stage's moment.

    Args:
        stage: composed stage.
        path: of the camera; "" takes the only one.
        width: of the image [px]; its height follows from the apertures.
        notes: what cannot be honoured is named here.

    Returns:
        The model (apertures and offsets as intrinsics, clipping range, f-stop and focus distance as focus) and T_world_camera [4, 4] with optical
        axes, in metres.

    Raises:
        UserError: there is no such camera, or its numbers make no image.
    """
    from pxr import UsdGeom

    path = _chosen(stage, path)

    def refused(words: str) -> UserError:
        return UserError(f"camera {path} {words}", stage.GetRootLayer().identifier)

    now, camera = moment(stage), UsdGeom.Camera(stage.GetPrimAtPath(path))

    def numbers(*names: str) -> list[float]:
        got = [camera.GetPrim().GetAttribute(name).Get(now) for name in names]
        try:
            return [float(v) for v in got]
        except (TypeError, ValueError):
            raise refused(f"must have numbers as {', '.join(names)}, got {', '.join(map(str, got))}") from None

    focal, across, down = numbers("focalLength", "horizontalAperture", "verticalAperture")
    if str(camera.GetProjectionAttr().Get(now)) != "perspective":
        raise refused(f"must be a perspective one, as real cameras are, got {camera.GetProjectionAttr().Get(now)}")
    if not (np.isfinite([focal, across, down]).all() and min(focal, across, down) > 0):
        raise refused(f"must have a focal length and apertures above 0, got {focal:g}, {across:g}, {down:g}")
    _name_unhonoured(camera, now, notes)
    height = max(1, round(width * down / across))
    fx, fy = width * focal / across, height * focal / down
    aside, up, f_stop, focused = numbers("horizontalApertureOffset", "verticalApertureOffset", "fStop", "focusDistance")
    unit, clipping = UsdGeom.GetStageMetersPerUnit(stage), camera.GetClippingRangeAttr().Get(now)
    if not fits(clipping, (0.0, 0.0)):
        raise refused(f"must have a clipping range of {kind_of((0.0, 0.0))}, got {clipping}")
    near, far, distance = unit * clipping[0], unit * clipping[1], unit * focused
    if not near < far:
        raise refused(f"must have a clipping range that rises, got {near / unit:g} to {far / unit:g}")
    focus = _focus(f"camera {path}:", distance, 1e3 * unit * 0.1 * focal / f_stop if f_stop > 0 else 0.0, notes)
    cx, cy = (width - 1) / 2 - fx * aside / focal, (height - 1) / 2 + fy * up / focal
    given = {"width": width, "height": height, "fx": fx, "fy": fy, "cx": cx, "cy": cy}
    try:
        model = validate(CameraModel, {**given, "near": max(near, 1e-4), "far": max(far, 2e-4), "focus": focus})
    except UserError as error:
        raise refused(f"makes no image {width} px wide: {error.message}") from None
    with np.errstate(invalid="ignore"):
        T = world_correction(stage) @ pose_of(camera.GetPrim(), UsdGeom.XformCache(now))
    if not np.isfinite(T).all() or abs(np.linalg.det(T[:3, :3])) == 0:
        raise refused("must have a transform that is finite and does not flatten it")
    T[:3, :3] = unskewed(T[:3, :3])
    return model, T @ T_USD_OPTICAL


def _name_unhonoured(camera: UsdGeom.Camera, now: Usd.TimeCode, notes: Notes) -> None:
    if camera.GetClippingPlanesAttr().Get(now):
        notes.add(f"camera {camera.GetPath()}: clipping planes are not honoured, its clipping range is")
    if camera.GetExposureAttr().Get(now):
        notes.add(f"camera {camera.GetPath()}: its exposure is not honoured, pictures are exposed by what they show")


def _focus(where: str, distance: float, opening: float, notes: Notes) -> dict[str, float] | None:
    """Focus of a camera from its distance [m] and opening [mm]; None where either is 0, or no lens opens so wide, which is said."""
    if distance > 0 and opening > WIDEST_MM:
        notes.add(f"{where} its f-stop opens it {opening:.0f} mm wide, lenses open {WIDEST_MM} mm at most; it is not honoured, all is sharp")
    return {"distance": distance, "opening_mm": opening} if distance > 0 and 0 < opening <= WIDEST_MM else None


def _chosen(stage: Usd.Stage, path: str) -> str:
    """The camera at a path, or for "" the only one."""
    found = stage_cameras(stage)
    if not path and len(found) == 1:
        return found[0]
    if path not in found:
        hint = nearest(path, found) if found else ""
        raise UserError(f"camera must be the path of one of the stage's {len(found)} cameras, got '{path}'{hint}", stage.GetRootLayer().identifier)
    return path


def unskewed(M: np.ndarray) -> np.ndarray:
    """The rotation that a camera keeps of a linear map [3, 3] that may scale, mirror and shear, as ``GfFrustum`` has it."""
    axes = M / np.linalg.norm(M, axis=0)
    axes[:, 0] *= np.sign(np.linalg.det(axes))
    U, _, Vt = np.linalg.svd(axes)
    return U @ Vt
