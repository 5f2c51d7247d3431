"""Footprints and echoes: kernel against twin, planes, spheres and steps against the integral over the beam, mirrors and panes."""

import numpy as np
import pytest
import stage_kit as kit
import warp as wp
from tailgate.config.sensor import LidarModel
from tailgate.render.raytrace.lidar_echoes import KEPT, Echoes, Met, echo_kernel, echoes_twin
from tailgate.render.raytrace.lidar_kernels import Rays

WIDE = {"divergence_mrad": (20.0, 10.0), "sub_rays": 7, "azimuth_start_deg": 0.0, "azimuth_fov_deg": 10.0, "columns": 10, "range_max": 100.0}
RESOLUTION = LidarModel(elevation_deg=[0.0], columns=1, pulse_ns=6.0).pulse_range


def _scan(stage, **more):
    return kit.render(stage, kit.rig_of(lidar=LidarModel(elevation_deg=[0.0], **{**WIDE, **more}))).sensors["lidar"].channels


def _gaussian(n=401):
    """Angles across a beam of WIDE [rad] and their weights."""
    x = np.linspace(-2.5, 2.5, n)
    u, v = np.meshgrid(x, x, indexing="ij")
    weight = np.exp(-2 * (u**2 + v**2))
    return 0.010 * u, 0.005 * v, weight / weight.sum()


def _beam_mean(hit):
    """Power-weighted range over the whole beam; ``hit(directions) -> (range, cosine)``."""
    u, v, weight = _gaussian()
    ray = np.stack([np.ones_like(u), np.tan(u), np.tan(v)], -1)
    r, cosine = hit(ray / np.linalg.norm(ray, axis=-1, keepdims=True))
    power = weight * cosine / r**2
    return float((power * r).sum() / power.sum()), float(power.sum())


def test_echo_kernel_matches_its_twin():
    draw, n, slots = np.random.default_rng(3), 400, 9
    met = Met(
        draw.choice([5.0, 5.3, 6.5, 9.0, 20.0], (n, slots)) + draw.uniform(0, 0.3, (n, slots)),
        np.where(draw.random((n, slots)) < 0.3, 0.0, draw.uniform(0.05, 0.5, (n, slots))),
        draw.uniform(0.05, 1.0, (n, slots)),
        draw.uniform(0.05, 0.9, (n, slots)),
    )
    rays, out = Rays(), Echoes()
    for name in ("range", "energy", "cosine", "reflectance"):
        setattr(rays, name, wp.array(getattr(met, name).astype(np.float32), dtype=wp.float32, device="cpu"))
    rays.row = wp.array(np.where(met.energy > 0, 0, -1).astype(np.int32), dtype=wp.int32, device="cpu")
    for name in ("range", "incidence", "reflectance"):
        setattr(out, name, wp.zeros((n, KEPT), dtype=wp.float32, device="cpu"))
    out.ray = wp.full((n, KEPT), -1, dtype=wp.int32, device="cpu")
    power = wp.zeros((n, KEPT), dtype=wp.float32, device="cpu")
    wp.launch(echo_kernel, dim=n, inputs=[rays, 0.4, 0.01, power], outputs=[out], device="cpu")
    for name, expected in zip(("range", "incidence", "reflectance"), echoes_twin(met, 0.4, 0.01, KEPT), strict=False):
        np.testing.assert_allclose(getattr(out, name).numpy(), expected, rtol=1e-4, atol=1e-6)
    np.testing.assert_array_equal(out.ray.numpy(), echoes_twin(met, 0.4, 0.01, KEPT)[3])


def test_the_last_echo_is_kept_whatever_its_power():
    """Seven surfaces, the axis with half of the light: the strongest, the next, and the last."""
    ranges, energy = np.array([[10.0, 12.0, 14.0, 16.0, 18.0, 20.0, 40.0]]), np.array([[0.5] + [1 / 12] * 6])
    kept = echoes_twin(Met(ranges, energy, np.ones_like(ranges), np.full_like(ranges, 0.5)), RESOLUTION, 0.0, KEPT)
    np.testing.assert_allclose(kept[0], [[10.0, 12.0, 40.0]])
    assert kept[3].tolist() == [[0, 1, 6]]


@pytest.mark.parametrize("slant_deg", [0.0, 60.0, 80.0])
def test_a_plane_is_one_echo_at_the_mean_of_the_beam(slant_deg):
    a = np.deg2rad(slant_deg)
    normal, across = np.array([np.cos(a), np.sin(a), 0.0]), np.array([-np.sin(a), np.cos(a), 0.0])
    corners = [20.0 * np.array([1.0, 0, 0]) + 900 * (s * across + t * np.array([0, 0, 1.0])) for s, t in ((-1, -1), (1, -1), (1, 1), (-1, 1))]
    stage = kit.new_stage()
    kit.mesh(stage, "/World/wall", corners, [(0, 1, 2, 3)], kit.material(stage, "/World/grey", (0.5, 0.5, 0.5), reflectance=0.4))
    got = _scan(stage)
    assert (got["range"][0, 0] > 0).tolist() == [True, False, False]
    mean, power = _beam_mean(lambda ray: (20.0 * normal[0] / (ray @ normal), ray @ normal))
    # The seven rays leave a thousandth of the beam's own spread in range, which is 2 cm head-on and 1 m at 80 deg.
    spread = 20.0 * 0.01 * np.tan(a)
    assert got["range"][0, 0, 0] == pytest.approx(mean, abs=1e-4 + 4e-3 * spread)
    assert got["reflectance"][0, 0, 0] * got["incidence"][0, 0, 0] / mean**2 == pytest.approx(0.4 * power, rel=5e-3)


def test_a_sphere_is_measured_behind_its_front():
    stage = kit.new_stage()
    kit.mesh(stage, f"{kit.mover(stage, 'ball', 5, kit.pose(x=10.0))}/body", *kit.sphere(512))

    def hit(ray):
        b = 10.0 * ray[..., 0]
        r = b - np.sqrt(b**2 - 99.0)
        return r, np.abs(((r[..., None] * ray - [10.0, 0, 0]) * ray).sum(-1))

    got, (mean, _) = _scan(stage), _beam_mean(hit)
    assert 9.0 < mean and got["range"][0, 0, 0] == pytest.approx(mean, abs=3e-4)
    thin = _scan(stage, sub_rays=1)
    assert got["range"][0, 0, 0] > thin["range"][0, 0, 0] + 1e-3 and got["instance"][0, 0, 0] == 5


def _step(near, far):
    """Two walls that meet at azimuth 0: the left one near, the right one far, each with its instance."""
    stage = kit.new_stage()
    for name, x, y, instance in (("near", near, (0.0, 50.0), 1), ("far", far, (-50.0, 50.0), 2)):
        path = kit.mover(stage, name, instance, np.eye(4))
        points = [(x, y[0], -50), (x, y[1], -50), (x, y[1], 50), (x, y[0], 50)]
        kit.mesh(stage, f"{path}/body", points, [(0, 1, 2, 3)], kit.material(stage, f"/World/{name}", (0.5,) * 3, reflectance=0.5))
    return stage


def test_an_edge_gives_two_echoes_and_half_an_edge_a_point_between():
    # Aim half a contour beside the edge, so that rays fall on both sides and none on it.
    start = np.rad2deg(0.004)
    two = _scan(_step(10.0, 15.0), azimuth_start_deg=start)
    assert (two["range"][0, 0] > 0).tolist() == [True, True, False]
    np.testing.assert_allclose(two["range"][0, 0, :2], [10.0, 15.0], atol=2e-3)
    assert two["instance"][0, 0].tolist() == [1, 2, 0] and two["semantic"][0, 0].tolist() == [1, 1, 0]
    # Three of six rays on the contour look past the edge: three twelfths of the light.
    shares = two["reflectance"][0, 0, :2] / 0.5
    np.testing.assert_allclose(shares, [9 / 12, 3 / 12], rtol=2e-3)
    mixed = _scan(_step(10.0, 10.5), azimuth_start_deg=start)
    weights = np.array([9 / 10.0**2, 3 / 10.5**2])
    assert (mixed["range"][0, 0] > 0).tolist() == [True, False, False]
    assert mixed["range"][0, 0, 0] == pytest.approx(float(weights @ [10.0, 10.5] / weights.sum()), abs=2e-3)
    assert RESOLUTION < 5.0


def test_thin_beams_have_one_echo_and_cost_one_ray():
    got = _scan(_step(10.0, 15.0), sub_rays=1)
    assert got["range"].shape == (1, 10, 1)


def _mirror(opacity, metallic, colour):
    """A pane at 45 deg, 10 m ahead, a wall 6 m behind it and one 5 m to the left of it."""
    stage = kit.new_stage()
    pane = kit.material(stage, "/World/pane", (colour,) * 3, roughness=0.0, metallic=metallic, opacity=opacity, reflectance=0.1)
    kit.mesh(stage, "/World/pane_mesh", [(8, -2, -2), (12, 2, -2), (12, 2, 2), (8, -2, 2)], [(0, 1, 2, 3)], pane)
    for name, instance, points in (
        ("behind", 1, [(16, -9, -9), (16, 9, -9), (16, 9, 9), (16, -9, 9)]),
        ("aside", 2, [(5, 5, -9), (15, 5, -9), (15, 5, 9), (5, 5, 9)]),
    ):
        grey = kit.material(stage, f"/World/{name}", (0.5,) * 3, reflectance=0.6)
        kit.mesh(stage, f"{kit.mover(stage, name, instance, np.eye(4))}/body", points, [(0, 1, 2, 3)], grey)
    return stage


def test_a_mirror_shows_what_it_reflects_and_names_nothing():
    got = _scan(_mirror(1.0, 1.0, 0.9), sub_rays=1, divergence_mrad=(0.0, 0.0), ghosts=True)
    assert got["range"][0, 0, 0] == pytest.approx(15.0, abs=5e-3) and got["instance"][0, 0, 0] == 0
    grazing = 0.9 + 0.1 * (1 - np.sqrt(0.5)) ** 5
    assert got["reflectance"][0, 0, 0] == pytest.approx(0.6 * grazing**2, rel=1e-3)
    plain = _scan(_mirror(1.0, 1.0, 0.9), sub_rays=1, divergence_mrad=(0.0, 0.0))
    assert plain["range"].shape[2] == 1 and plain["range"][0, 0, 0] == pytest.approx(10.0, abs=1e-3)


def test_a_pane_lets_through_and_reflects_a_little():
    got = _scan(_mirror(0.1, 0.0, 0.5), sub_rays=1, divergence_mrad=(0.0, 0.0), ghosts=True)
    np.testing.assert_allclose(np.sort(got["range"][0, 0]), [10.0, 15.0, 16.0], atol=5e-3)
    assert got["range"][0, 0, 0] == pytest.approx(16.0, abs=5e-3) and got["instance"][0, 0, 0] == 1


def test_a_retroreflector_returns_more_than_all():
    stage = kit.new_stage()
    tape = kit.material(stage, "/World/tape", (0.5,) * 3, reflectance=300.0)
    kit.mesh(stage, "/World/sign", [(10, -5, -5), (10, 5, -5), (10, 5, 5), (10, -5, 5)], [(0, 1, 2, 3)], tape)
    got = _scan(stage, sub_rays=1)
    assert got["reflectance"][0, 0, 0] * got["incidence"][0, 0, 0] == pytest.approx(300.0, rel=1e-5)
    assert got["intensity"].max() <= 1.0


@pytest.mark.parametrize("rays", [1, 7])
@pytest.mark.parametrize("behind", [False, True])
def test_occlusion_counts_the_firings_whose_light_reaches_an_object(rays, behind):
    """A pole thinner than the beam: nothing of it is hidden by what stands behind, and half of it by a wall before its lower half."""
    model = LidarModel(elevation_deg=list(np.linspace(-7, 7, 60)), columns=1024, azimuth_start_deg=180.1, divergence_mrad=(10.0, 10.0), sub_rays=rays)
    for hidden in (False, True):
        stage = kit.new_stage()
        path = kit.mover(stage, "pole", 3, np.eye(4))
        kit.mesh(stage, f"{path}/body", [(15, -0.05, -2), (15, 0.05, -2), (15, 0.05, 2), (15, -0.05, 2)], [(0, 1, 2, 3)])
        if behind:
            kit.mesh(stage, "/World/back", [(15.2, -9, -9), (15.2, 9, -9), (15.2, 9, 9), (15.2, -9, 9)], [(0, 1, 2, 3)])
        if hidden:
            kit.mesh(stage, "/World/front", [(8, -3, -3), (8, 3, -3), (8, 3, 0), (8, -3, 0)], [(0, 1, 2, 3)])
        view = kit.render(stage, kit.rig_of(lidar=model)).sensors["lidar"].view
        # A footprint of 15 cm over a row of 6 cm sees past the edge of the wall in one or two rows of sixty.
        assert view.occluded[0] == pytest.approx(0.5, abs=0.05) if hidden else view.occluded[0] == 0.0
        assert view.alone[0] >= 60 and (hidden or view.visible[0] == view.alone[0])


def test_a_pane_before_the_least_range_hides_nothing():
    stage = kit.new_stage()
    for name, x, opacity in (("pane", 0.3, 0.1), ("wall", 10.0, 1.0)):
        look = kit.material(stage, f"/World/{name}look", (0.9,) * 3, roughness=0.0, opacity=opacity, reflectance=0.5)
        kit.mesh(stage, f"/World/{name}", [(x, -9, -9), (x, 9, -9), (x, 9, 9), (x, -9, 9)], [(0, 1, 2, 3)], look)
    near, far = (_scan(stage, sub_rays=1, columns=1, azimuth_fov_deg=1.0, range_min=least, ghosts=True)["range"][0, 0] for least in (0.1, 0.5))
    assert near.max() == pytest.approx(10.0, abs=1e-3) and near[near > 0].min() == pytest.approx(0.3, abs=1e-3)
    assert far[far > 0].tolist() == pytest.approx([10.0], abs=1e-3)
