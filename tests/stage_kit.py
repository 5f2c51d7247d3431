"""Small stages made in code for tests: meshes, materials, lights and movers as the pool layer has them."""

from __future__ import annotations

import asyncio

import numpy as np
from pxr import Gf, Sdf, Usd, UsdGeom, UsdLux, UsdShade
from tailgate.config.rig import T_FORWARD_OPTICAL, MountedSensor, ResolvedRig
from tailgate.config.sensor import CameraModel, LidarModel
from tailgate.frames import Frame, FrameId, Sample
from tailgate.render.raytrace.backend import WarpBackend
from tailgate.stage.labels import set_labels

EXACT = {"smoothing": 0, "edges": False}
"""Quality of pictures that are compared with closed forms pixel by pixel."""
T_FORWARD_LIGHT = np.array([[0, 0, -1.0, 0], [-1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 1]])
"""T_world_light of a light that shines along +x, its own x to the right and its own y up."""
BOX_FACES = [(0, 3, 2, 1), (4, 5, 6, 7), (0, 1, 5, 4), (1, 2, 6, 5), (2, 3, 7, 6), (3, 0, 4, 7)]


def new_stage() -> Usd.Stage:
    """An empty stage, z up, metres."""
    stage = Usd.Stage.CreateInMemory()
    UsdGeom.SetStageUpAxis(stage, UsdGeom.Tokens.z)
    UsdGeom.SetStageMetersPerUnit(stage, 1.0)
    stage.SetDefaultPrim(UsdGeom.Xform.Define(stage, "/World").GetPrim())
    return stage


def pose(x: float = 0, y: float = 0, z: float = 0, yaw_deg: float = 0, scale: float = 1.0) -> np.ndarray:
    """T [4, 4]: turn about z, then move."""
    T, a = np.eye(4), np.deg2rad(yaw_deg)
    T[:2, :2] = [[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]]
    T[:3, :3] *= scale
    T[:3, 3] = x, y, z
    return T


def gf(T: np.ndarray) -> Gf.Matrix4d:
    """USD's row-vector form of a matrix."""
    return Gf.Matrix4d(*np.asarray(T, float).T.ravel().tolist())


def material(stage: Usd.Stage, path: str, colour: tuple, roughness: float = 1.0, **more: float | tuple) -> UsdShade.Material:
    """A UsdPreviewSurface material; ``reflectance`` goes to its own attribute."""
    made = UsdShade.Material.Define(stage, path)
    shader = UsdShade.Shader.Define(stage, f"{path}/Surface")
    shader.CreateIdAttr("UsdPreviewSurface")
    reflectance = more.pop("reflectance", None)
    for name, value in {"diffuseColor": colour, "roughness": roughness, **more}.items():
        kind = Sdf.ValueTypeNames.Color3f if isinstance(value, tuple) else Sdf.ValueTypeNames.Float
        shader.CreateInput(name, kind).Set(Gf.Vec3f(*value) if isinstance(value, tuple) else value)
    made.CreateSurfaceOutput().ConnectToSource(shader.ConnectableAPI(), "surface")
    if reflectance is not None:
        made.GetPrim().CreateAttribute("tailgate:reflectance", Sdf.ValueTypeNames.Float).Set(reflectance)
    return made


def mesh(stage: Usd.Stage, path: str, points: np.ndarray, faces: list, bound: UsdShade.Material | None = None, T: np.ndarray | None = None):
    """A polygonal mesh, optionally with a material and a transform."""
    made = UsdGeom.Mesh.Define(stage, path)
    made.CreatePointsAttr([Gf.Vec3f(*map(float, p)) for p in points])
    made.CreateFaceVertexCountsAttr([len(f) for f in faces])
    made.CreateFaceVertexIndicesAttr([int(i) for f in faces for i in f])
    made.CreateSubdivisionSchemeAttr("none")
    if bound:
        UsdShade.MaterialBindingAPI.Apply(made.GetPrim()).Bind(bound)
    if T is not None:
        made.AddTransformOp().Set(gf(T))
    return made


def box(stage: Usd.Stage, path: str, low: tuple, high: tuple, bound: UsdShade.Material | None = None, T: np.ndarray | None = None):
    """An axis-aligned box of six quads facing outwards."""
    (a, b, c), (d, e, f) = low, high
    points = [(a, b, c), (d, b, c), (d, e, c), (a, e, c), (a, b, f), (d, b, f), (d, e, f), (a, e, f)]
    return mesh(stage, path, points, BOX_FACES, bound, T)


def ground(stage: Usd.Stage, path: str, bound: UsdShade.Material | None = None, half: float = 500.0, z: float = 0.0):
    """A level square."""
    return mesh(stage, path, [(-half, -half, z), (half, -half, z), (half, half, z), (-half, half, z)], [(0, 1, 2, 3)], bound)


def sphere(n: int = 128) -> tuple[np.ndarray, list]:
    """Points and triangles of a unit sphere."""
    theta, phi = np.meshgrid(np.linspace(0, np.pi, n // 2 + 1), np.arange(n) * 2 * np.pi / n, indexing="ij")
    points = np.stack([np.sin(theta) * np.cos(phi), np.sin(theta) * np.sin(phi), np.cos(theta)], -1).reshape(-1, 3)
    rows = [(i * n + j, i * n + n + j, i * n + n + (j + 1) % n, i * n + (j + 1) % n) for i in range(n // 2) for j in range(n)]
    return points, [t for a, b, c, d in rows for t in ((a, b, c), (a, c, d))]


def mover(stage: Usd.Stage, name: str, instance: int, T: np.ndarray, label: str = "car") -> str:
    """A prim under /Tailgate/Objects as the pool layer makes it; returns its path."""
    path = f"/Tailgate/Objects/{name}"
    made = UsdGeom.Xform.Define(stage, path)
    made.AddTransformOp().Set(gf(T))
    made.CreateVisibilityAttr("inherited")
    set_labels(made.GetPrim(), "class", label)
    made.GetPrim().CreateAttribute("tailgate:instance", Sdf.ValueTypeNames.Int).Set(instance)
    return path


def lights(stage: Usd.Stage, sky: float = 1.0, sun: float = 0.0, sun_direction: tuple = (0.0, 0.0, 1.0)) -> None:
    """A dome, and a sun unless its irradiance is 0."""
    UsdLux.DomeLight.Define(stage, "/Tailgate/Lights/Sky").CreateIntensityAttr(sky)
    if sun:
        light = UsdLux.DistantLight.Define(stage, "/Tailgate/Lights/Sun")
        light.CreateIntensityAttr(sun)
        light.CreateNormalizeAttr(True)
        light.CreateAngleAttr(0.53)
        z = np.array(sun_direction) / np.linalg.norm(sun_direction)
        x = np.cross([0.0, 1.0, 0.0], z)
        x /= np.linalg.norm(x)
        T = np.eye(4)
        T[:3, :3] = np.stack([x, np.cross(z, x), z], 1)
        light.AddTransformOp().Set(gf(T))


def rig_of(camera: CameraModel | None = None, lidar: LidarModel | None = None, T_rig: np.ndarray | None = None) -> ResolvedRig:
    """A rig with a forward camera and a LiDAR at the same place."""
    T = np.eye(4) if T_rig is None else T_rig
    sensors = {}
    if camera:
        sensors["camera"] = MountedSensor(camera, "test", T @ T_FORWARD_OPTICAL)
    if lidar:
        sensors["lidar"] = MountedSensor(lidar, "test", T)
    return ResolvedRig("test", sensors)


def pinhole(width: int = 64, height: int = 48, focal: float = 60.0, **more: float) -> CameraModel:
    """A camera whose principal point is the middle of the image."""
    return CameraModel(width=width, height=height, fx=focal, fy=focal, cx=width / 2 - 0.5, cy=height / 2 - 0.5, **more)


def render(stage: Usd.Stage, rig: ResolvedRig, labels: dict[str, int] | None = None, hints: dict | None = None, **quality: int) -> Frame:
    """Open, apply, capture and close."""
    backend = WarpBackend(**quality)
    backend.open(stage, rig, labels or {"car": 1})
    try:
        backend.apply(Sample(FrameId("test", 0, 0), hints=hints or {}))
        return asyncio.run(backend.capture())
    finally:
        backend.close()
