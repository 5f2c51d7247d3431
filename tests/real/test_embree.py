"""Depth, ids and hits of scenes by other authors against Embree (through embreex or open3d, whichever is installed)."""

import importlib.util

import numpy as np
import pytest
import stage_kit as kit
from pxr import Usd
from tailgate.geometry.trace import TraceScene
from tailgate.stage.extract import Extraction

ASSETS = [
    "usd/cornell-box/usdpreviewsurface/cornell-box.usda",
    "usd/McUsd/McUsd.usda",
    "usd/Teapot/Teapot.usd",
    "usd/ElephantWithMonochord/SoC-ElephantWithMonochord.usdc",
    "usd/newton/bear.usd",
    "usd/newton/crazyflie.usd",
    "usd/newton/rj45_plug.usd",
    "usd/Vehicles/USD_Mini_Car_Kit/assets/vehicles/sedan/asset/sedanFullAsset.usda",
    "usd/Vehicles/USD_Mini_Car_Kit/assets/vehicles/tractor/asset/tractorFullAsset.usda",
]
FLIPS = 0.002
"""Share of rays that may meet another surface than Embree says: those that graze an edge, where single precision decides."""


def embree(points, triangles):
    """A function (origins, directions) -> (t, face; -1 for none) by Embree, or a skip."""
    if importlib.util.find_spec("embreex"):
        from embreex.mesh_construction import TriangleMesh
        from embreex.rtcore_scene import EmbreeScene

        scene = EmbreeScene(robust=True)
        TriangleMesh(scene, points[triangles].astype(np.float32))

        def cast(origins, directions):
            got = scene.run(origins.astype(np.float32), directions.astype(np.float32), output=True)
            return got["tfar"], got["primID"]
    elif importlib.util.find_spec("open3d"):
        import open3d as o3d

        scene = o3d.t.geometry.RaycastingScene()
        scene.add_triangles(points.astype(np.float32), triangles.astype(np.uint32))

        def cast(origins, directions):
            got = scene.cast_rays(o3d.core.Tensor(np.concatenate([origins, directions], 1).astype(np.float32)))
            return got["t_hit"].numpy(), got["primitive_ids"].numpy().view(np.int32)
    else:
        pytest.skip("neither embreex nor open3d is installed")
    return cast


def views(points, size=192):
    """Rays of four pinhole cameras around a box and one inside it: origins and unit directions, [N, 3]."""
    low, high = points.min(0).astype(float), points.max(0).astype(float)
    centre, reach = (low + high) / 2, float(np.linalg.norm(high - low))
    v, u = np.mgrid[:size, :size]
    local = np.stack([(u - size / 2 + 0.5) / size, (v - size / 2 + 0.5) / size, np.ones((size, size))], -1).reshape(-1, 3)
    for ahead, distance in (((1, -1, -0.7), 1.1), ((-1, 0.3, -0.5), 1.0), ((0.2, 1, 0.1), 0.9), ((0.1, 0.05, -1), 1.2), ((0.7, 0.7, 0.1), 0.05)):
        z = np.array(ahead) / np.linalg.norm(ahead)
        x = np.cross(z, [0, 0, 1.0])
        x /= np.linalg.norm(x)
        directions = local @ np.stack([x, np.cross(z, x), z])
        yield np.broadcast_to(centre - z * distance * reach, directions.shape), directions / np.linalg.norm(directions, axis=1, keepdims=True)


@pytest.mark.parametrize("path", ASSETS, ids=lambda p: p.rsplit("/", 1)[-1])
def test_hits_agree_with_embree(data_root, path):
    if not (data_root / path).is_file():
        pytest.skip(f"{path} is not among the data")
    arrays = Extraction(Usd.Stage.Open(str(data_root / path)), {}).run()
    assert len(arrays.prototypes) == 1
    prototype = arrays.prototypes[0]
    cast = embree(prototype.points, prototype.triangles)
    ours = TraceScene("cpu")
    ours.add_prototype(prototype.points, prototype.triangles)
    ours.set_instances(np.zeros(1, int), np.eye(4)[None])
    worst, ties, flips, silhouettes, rays, met = 0.0, 0, 0, 0, 0, 0
    for origins, directions in views(prototype.points):
        size = int(np.sqrt(len(directions)))
        t, face = cast(origins, directions)
        got = ours.trace(origins, directions)
        hit, theirs = got.instance >= 0, face >= 0
        both = hit & theirs
        close = both & (np.abs(got.t - t) <= 1e-4 * t)
        slot = np.where(hit, prototype.face_slot[got.face], -1), np.where(theirs, prototype.face_slot[face], -1)
        agree = (~hit & ~theirs) | (close & (slot[0] == slot[1]))
        tied = close & (slot[0] != slot[1]) & (np.abs(got.t - t) <= 2e-6 * t)
        flip = ~agree & ~tied
        worst = max(worst, float((np.abs(got.t - t) / np.where(both, t, 1))[close].max(initial=0.0)))
        flips, ties, rays, met = flips + int(flip.sum()), ties + int(tied.sum()), rays + len(t), met + int(both.sum())
        silhouettes += int((flip & at_edges(slot[1], t, size)).sum())
    print(f"{path.rsplit('/', 1)[-1]}: {met} of {rays} hit, depth within {worst:.1e}, {flips} flips ({silhouettes} at silhouettes), {ties} ties")
    assert met > 0.03 * rays and worst <= 1e-4
    assert flips <= FLIPS * rays and silhouettes == flips


def at_edges(slot, t, size):
    """Pixels of an image [size * size] with a neighbour of another slot or of a depth that differs by more than 0.1 %."""
    slot, t = slot.reshape(size, size), np.where(slot >= 0, t, 0.0).reshape(size, size)
    out = np.zeros((size, size), bool)
    for dy, dx in ((0, 1), (1, 0), (1, 1), (1, -1)):
        differs = (slot != np.roll(slot, (dy, dx), (0, 1))) | (np.abs(t - np.roll(t, (dy, dx), (0, 1))) > 1e-3 * np.maximum(t, 1e-9))
        out |= differs | np.roll(differs, (-dy, -dx), (0, 1))
    return out.ravel()


def test_images_agree_with_embree(data_root):
    """The whole path: stage, camera, depth and semantic image of the cornell box against Embree through the same pixels."""
    path = data_root / ASSETS[0]
    if not path.is_file():
        pytest.skip("the cornell box is not among the data")
    stage = Usd.Stage.Open(str(path))
    arrays = Extraction(stage, {}).run()
    prototype = arrays.prototypes[0]
    cast = embree(prototype.points, prototype.triangles)
    low, high = prototype.points.min(0).astype(float), prototype.points.max(0).astype(float)
    T = kit.pose(x=low[0] - 4.0, y=float(low[1] + high[1]) / 2, z=float(low[2] + high[2]) / 2)
    model = kit.pinhole(120, 90, 100.0)
    channels = kit.render(stage, kit.rig_of(model, T_rig=T)).sensors["camera"].channels
    v, u = np.mgrid[:90, :120]
    directions = np.stack([np.ones((90, 120)), -(u - model.cx) / 100.0, -(v - model.cy) / 100.0], -1).reshape(-1, 3)
    t, face = cast(np.broadcast_to(T[:3, 3], directions.shape), directions)
    depth = channels["distance_to_image_plane"].ravel()
    same = np.isfinite(depth) == (face >= 0)
    close = np.abs(depth - t) <= 1e-4 * np.where(face >= 0, t, 1)
    assert (same & (close | (face < 0))).mean() > 1 - FLIPS
