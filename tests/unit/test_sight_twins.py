"""What rays of a LiDAR return and what sensors see of each object, against twins that test every triangle."""

import numpy as np
import pytest
import stage_kit as kit
from pxr import UsdGeom
from tailgate.config.sensor import LidarModel
from tailgate.geometry.firing import firing_grid
from tailgate.geometry.quiet import wp
from tailgate.geometry.rays import launch
from tailgate.render.raytrace import lidar_echoes, lidar_twins, visibility
from tailgate.render.raytrace.camera import CameraFilm, camera_of
from tailgate.render.raytrace.camera_kernels import see_kernel
from tailgate.render.raytrace.lidar_kernels import GHOSTS, Rays, fire_kernel, spin_of
from tailgate.render.raytrace.live import LiveScene
from tailgate.render.raytrace.scene_twin import soup_of

LIDAR = LidarModel(
    elevation_deg=[6.0, 0.0, -6.0, -12.0], columns=48, azimuth_start_deg=50.0, azimuth_fov_deg=100.0, range_min=1.5, range_max=20.0,
    sub_rays=7, divergence_mrad=(24.0, 12.0), ghosts=True,
)  # fmt: skip
AROUND = LIDAR.model_copy(
    update={"columns": 40, "azimuth_start_deg": 180.0, "azimuth_fov_deg": 360.0, "direction": "ccw", "ghosts": False, "divergence_mrad": (60.0, 12.0)}
)
CAMERA = kit.pinhole(20, 16, 22.0)
BEYOND = int(visibility.BEYOND * 20)


def yard(stage):
    """Movers side by side and one behind another, a pane, a mirror, something too near and something too far."""
    kit.lights(stage)
    kit.ground(stage, "/World/ground", kit.material(stage, "/World/grey", (0.4, 0.4, 0.4), 0.9, reflectance=0.3), 80.0, -1.3)
    looks = {
        "matt": kit.material(stage, "/World/matt", (0.7, 0.3, 0.2), 0.9, reflectance=0.5),
        "sign": kit.material(stage, "/World/sign", (0.9, 0.9, 0.9), 0.5, reflectance=3.0),
        "mirror": kit.material(stage, "/World/mirror", (0.9, 0.8, 0.7), 0.05, metallic=1.0, reflectance=0.2),
        "black": kit.material(stage, "/World/black", (0.0, 0.0, 0.0), 0.9, reflectance=0.0),
        "glass": kit.material(stage, "/World/glass", (0.1, 0.1, 0.1), 0.04, opacity=0.15, ior=1.5, reflectance=0.1),
    }
    places = {
        "a": (6, 2.2, 20, "matt"), "b": (8, 3.0, 50, "sign"), "c": (5, -0.4, 33, "glass"), "d": (9, -0.3, 10, "matt"), "e": (6, -3.2, 35, "mirror"),
        "f": (30, 6, 0, "matt"), "g": (1.0, 1.0, 5, "matt"), "h": (11, 5.5, 70, "black"), "i": (-6, 0, 0, "matt"),
        "j": (1.0, -1.2, 15, "glass"),
    }  # fmt: skip
    for k, (name, (x, y, yaw, look)) in enumerate(places.items()):
        path = kit.mover(stage, name, k + 1, kit.pose(x, y, -0.3, yaw))
        kit.box(stage, f"{path}/body", (-0.4, -0.7, -0.8), (0.4, 0.7, 0.9), looks[look])
        if name in "gj":
            UsdGeom.Xformable(stage.GetPrimAtPath(path)).GetOrderedXformOps()[0].Set(kit.gf(kit.pose(x, y, -0.3, yaw, 0.3)))


class Yard:
    """The yard on the device, in triangles, and the LiDAR's rays."""

    def __init__(self, model):
        stage = kit.new_stage()
        yard(stage)
        self.live = LiveScene(stage, {"car": 1}, "cpu")
        state = self.live.read()
        self.live.place(state)
        self.seen = self.live.objects(state)[1]
        self.soup = soup_of(self.live.watch.arrays, state)
        self.pose = kit.pose(yaw_deg=4.0)
        self.grid = firing_grid(model)
        self.spin = spin_of(model, self.grid, np.stack([self.pose] * 2), 0.0, "cpu")
        self.ways = lidar_twins.beams_twin(self.grid, model.divergence_mrad, self.pose)
        self.limits = model.range_min, model.range_max

    def fired(self, ghosts):
        rays, shape = Rays(), (self.grid.azimuth.size, LIDAR.sub_rays + GHOSTS)
        for name, kind in lidar_echoes._KINDS.items():
            setattr(rays, name, wp.zeros(shape, dtype=kind, device="cpu"))
        scene = self.live.scene
        launch(fire_kernel, (shape[0], LIDAR.sub_rays), [scene.scene, scene.tables, self.spin, LIDAR.sub_rays, int(ghosts)], [rays], "cpu")
        return rays


@pytest.fixture(scope="module")
def made():
    return Yard(LIDAR)


@pytest.mark.parametrize("ghosts", [True, False])
def test_what_rays_return_matches_the_twin(made, ghosts):
    """But for rays within rounding of an edge, whose other neighbour may be met."""
    rays, expected = made.fired(ghosts), lidar_twins.fire_twin(made.soup, made.pose[:3, 3], made.ways, made.limits, ghosts)
    same = rays.row.numpy() == expected.row
    assert same.mean() > 0.999 and ((expected.row[:, 8] >= 0).sum() > 20) == ghosts and (expected.row[:, 7] >= 0).sum() > 10
    kept = same & (expected.row >= 0)
    for name in ("range", "energy", "cosine", "reflectance", "seen"):
        np.testing.assert_allclose(getattr(rays, name).numpy()[kept], getattr(expected, name)[kept], rtol=2e-3, atol=1e-5, err_msg=name)


def test_labels_and_movers_of_echoes_match_the_twin(made):
    rays, random = made.fired(True), np.random.default_rng(3)
    returns = lidar_twins.Returns(*(getattr(rays, name).numpy() for name in lidar_twins.Returns.__dataclass_fields__))
    count, slots = returns.row.shape
    named = random.integers(0, slots, (count, 3))
    named[np.take_along_axis(returns.row, named, 1) < 0] = -1
    echoes = lidar_echoes.Echoes()
    echoes.ray = wp.array(named.astype(np.int32), dtype=wp.int32, device="cpu")
    labels = [wp.zeros(named.shape, dtype=wp.uint32, device="cpu") for _ in range(2)]
    wp.launch(lidar_echoes.label_kernel, dim=named.shape, inputs=[rays, echoes, made.live.scene.tables], outputs=labels, device="cpu")
    for got, expected in zip(labels, lidar_twins.labels_twin(made.soup, returns, named), strict=True):
        np.testing.assert_array_equal(got.numpy(), expected)
        assert (expected > 0).any()
    mover = wp.empty((count, 7), dtype=wp.int32, device="cpu")
    wp.launch(lidar_echoes.mover_kernel, dim=mover.shape, inputs=[rays, made.live.scene.tables], outputs=[mover], device="cpu")
    expected = lidar_twins.movers_twin(made.soup, returns, 7)
    np.testing.assert_array_equal(mover.numpy(), expected)
    assert 7 not in expected, "what is black sends nothing back"


@pytest.mark.parametrize("shape", [(37, 3), (5, 1), (0, 7)])
def test_firings_of_movers_are_counted_like_the_twin(shape):
    mover = np.random.default_rng(5).integers(-1, 4, shape).astype(np.int32)
    count = wp.zeros(5, dtype=wp.int32, device="cpu")
    wp.launch(visibility.count_firings_kernel, dim=shape[0], inputs=[wp.array(mover, dtype=wp.int32, device="cpu")], outputs=[count], device="cpu")
    np.testing.assert_array_equal(count.numpy(), lidar_twins.count_firings_twin(mover, 5))


@pytest.mark.parametrize("shape", [(12, 17), (1, 1), (3, 1)])
def test_pixels_of_movers_are_counted_like_the_twin(shape):
    """With fewer pixels than movers too, so that some are not seen."""
    mover, rows = np.random.default_rng(6).integers(-1, 9, shape).astype(np.int32), 9
    seen = visibility.Seen(np.arange(rows), np.arange(rows), np.tile(np.eye(4), (rows, 1, 1)), np.ones((rows, 3)), rows)
    count, box = visibility.count_visible(wp.array(mover.ravel(), dtype=wp.int32, device="cpu"), shape[1], seen, "cpu")
    expected, bounds = lidar_twins.count_twin(mover, rows)
    np.testing.assert_array_equal(count, expected)
    np.testing.assert_array_equal(box[expected > 0], bounds[expected > 0])
    assert (box[expected == 0] == visibility.EMPTY_BOX).all()


@pytest.mark.parametrize("model", [LIDAR, AROUND], ids=["ahead", "all around, with wide beams"])
def test_what_a_lidar_sees_of_objects_matches_the_twin(model):
    """Visible and alone, in firings: what is too near or too far is seen by none, what is behind glass by those whose light comes through."""
    made = Yard(model)
    rays = made.fired(model.ghosts)
    mover = wp.empty((made.grid.azimuth.size, 7), dtype=wp.int32, device="cpu")
    wp.launch(lidar_echoes.mover_kernel, dim=mover.shape, inputs=[rays, made.live.scene.tables], outputs=[mover], device="cpu")
    view = visibility.look_with_lidar(made.live.scene, made.spin, len(model.elevation_deg), made.pose, made.seen, mover)
    shown = mover.numpy()
    for k, (row, instance) in enumerate(zip(made.seen.mover, made.seen.instance, strict=True)):
        alone = lidar_twins.alone_firings_twin(made.soup.only(made.soup.instance == instance), made.pose[:3, 3], made.ways, made.limits)
        assert view.visible[k] == (shown == row).any(1).sum()
        assert abs(view.alone[k] - (alone | (shown == row).any(1)).sum()) <= 1
    assert (view.alone > 0).sum() >= 5 and (view.alone == 0).sum() >= 2 and (view.visible < view.alone).any()


def test_what_a_camera_sees_of_objects_matches_the_twin(made):
    """Visible, alone, outside the image and the bounds of all that, whatever stands before it."""
    pose = kit.pose(yaw_deg=4.0) @ kit.T_FORWARD_OPTICAL
    film, camera, scene = CameraFilm(CAMERA.width, CAMERA.height, "cpu"), camera_of(CAMERA, pose), made.live.scene
    launch(see_kernel, CAMERA.width * CAMERA.height, [scene.scene, scene.tables, camera], [film.pixels, film.truth], "cpu")
    view = visibility.look_with_camera(scene, camera, CAMERA.intrinsics, np.stack([pose] * 2), made.seen, film.truth.mover)

    def ways(u, v):
        local = np.stack([(u - CAMERA.cx) / CAMERA.fx, (v - CAMERA.cy) / CAMERA.fy, np.ones(len(u))], -1)
        return pose[:3, 3], local @ pose[:3, :3].T

    image = film.truth.mover.numpy().reshape(CAMERA.height, CAMERA.width)
    visible, tight = lidar_twins.count_twin(image, made.seen.movers)
    np.testing.assert_array_equal(view.visible, visible[made.seen.mover])
    np.testing.assert_array_equal(view.bbox_tight, tight[made.seen.mover])
    last = [CAMERA.width - 1, CAMERA.height - 1] * 2
    for k, instance in enumerate(made.seen.instance):
        inside, outside, box = lidar_twins.alone_twin(made.soup.only(made.soup.instance == instance), ways, (CAMERA.width, CAMERA.height), BEYOND)
        assert view.alone[k] == inside and view.truncated[k] == pytest.approx(outside / max(inside + outside, 1), abs=1e-6)
        np.testing.assert_array_equal(view.bbox_loose[k], np.clip(box, 0, last) if inside else [-1] * 4)
    assert (view.truncated > 0).sum() >= 2 and (view.visible < view.alone).any()
