"""A small stage for tests of the stand-in: a labelled ground, a wall and two cars, seen by a camera of the stage."""

from __future__ import annotations

import numpy as np
from pxr import Gf, Usd, UsdGeom
from stage_kit import box, gf, ground, lights, material, mover, new_stage, pose
from tailgate.stage.labels import set_labels

CAMERA = "/World/Camera"
SIZE = (96, 72)
FOCAL_PX = 80.0


def forward(x: float, y: float, z: float) -> np.ndarray:
    """T of a USD camera (looks along -z, y up) at (x, y, z) that looks along the world's x, [4, 4]."""
    T = np.eye(4)
    T[:3, :3] = np.array([[0, 0, -1], [-1, 0, 0], [0, 1, 0]], float)
    T[:3, 3] = x, y, z
    return T


def camera(stage: Usd.Stage, T: np.ndarray, path: str = CAMERA, width: int = SIZE[0], height: int = SIZE[1]) -> str:
    """A pinhole of ``FOCAL_PX`` at a width."""
    made = UsdGeom.Camera.Define(stage, path)
    made.CreateHorizontalApertureAttr(20.0)
    made.CreateVerticalApertureAttr(20.0 * height / width)
    made.CreateFocalLengthAttr(FOCAL_PX * 20.0 / width)
    made.CreateClippingRangeAttr(Gf.Vec2f(0.05, 200.0))
    made.AddTransformOp().Set(gf(T))
    return path


def street() -> Usd.Stage:
    """Ground (labelled road), a wall without a label, a near car that hides part of a far one, sky and sun."""
    stage = new_stage()
    grey = material(stage, "/World/Looks/Grey", (0.3, 0.3, 0.3))
    red = material(stage, "/World/Looks/Red", (0.6, 0.1, 0.1), reflectance=0.4)
    set_labels(ground(stage, "/World/Road", grey).GetPrim(), "class", "road")
    box(stage, "/World/Wall", (25, -10, 0), (26, 10, 5), grey)
    near, far = mover(stage, "near", 7, pose(8, -0.6, 0)), mover(stage, "far", 9, pose(14, 0.6, 0, 20))
    for path in (near, far):
        box(stage, f"{path}/Body", (-1.5, -0.8, 0.3), (1.5, 0.8, 1.4), red)
        box(stage, f"{path}/Roof", (-0.7, -0.7, 1.4), (0.7, 0.7, 1.8), grey)
    lights(stage, sky=400.0, sun=900.0, sun_direction=(-1.0, 0.4, 1.0))
    camera(stage, forward(0.0, 0.0, 1.5))
    return stage
