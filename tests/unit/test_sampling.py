"""Numbers that light is sampled by: even over few neighbours, independent of one another; one sample agrees with many, place by place."""

import numpy as np
import pytest
import stage_kit as kit
from pxr import Gf, UsdGeom, UsdLux
from tailgate.geometry.quiet import wp
from tailgate.render.raytrace.camera_kernels import spread
from tailgate.render.raytrace.image_twins import spread_twin

DOWN = np.array([[0.0, 0, 1, 0], [0, 1, 0, 0], [-1, 0, 0, 0], [0, 0, 0, 1]])
"""Turns a forward camera to look down."""


@wp.kernel
def spread_kernel(width: int, sample: int, seed: int, out: wp.array(dtype=wp.vec3)):
    k = wp.tid()
    x, y = k % width - width / 2, k / width
    out[k] = wp.vec3(spread(x, y, sample, 0, seed), spread(x, y, sample, 1, seed), spread(x, y, sample, 2, seed))


@pytest.mark.parametrize("sample", [0, 255])
def test_numbers_are_those_of_the_twin_shifted_by_the_seed(sample):
    width, height = 4096, 8
    out = wp.zeros(width * height, dtype=wp.vec3, device="cpu")
    wp.launch(spread_kernel, dim=len(out), inputs=[width, sample, 5, out], device="cpu")
    got = out.numpy()
    y, x = np.divmod(np.arange(len(got)), width)
    off = got - spread_twin(x - width // 2, y, sample)
    off -= off[0]
    assert (got >= 0).all() and (got < 1).all() and np.abs(off - np.round(off)).max() < 1e-6


@pytest.mark.parametrize("pair", [(0, 1), (0, 2), (1, 2)])
def test_every_pair_of_numbers_is_met_alike_over_an_image(pair):
    y, x = np.mgrid[:160, :160]
    counts = np.histogram2d(*spread_twin(x, y)[..., pair].reshape(-1, 2).T, 16, [(0, 1), (0, 1)])[0]
    assert counts.min() > 0.85 * counts.mean() and counts.max() < 1.15 * counts.mean()


def test_few_neighbours_are_spread_evenly():
    """Any 8 x 8 pixels, any two numbers: counts in the quarters of the unit square vary less than half as much as by chance."""
    y, x = np.mgrid[:64, :64]
    numbers = spread_twin(x, y)
    for pair in ((0, 1), (0, 2), (1, 2)):
        cell = (2 * numbers[..., pair[0]]).astype(int) * 2 + (2 * numbers[..., pair[1]]).astype(int)
        windows = np.lib.stride_tricks.sliding_window_view(cell, (8, 8)).reshape(-1, 64)
        counts = np.stack([(windows == k).sum(1) for k in range(4)])
        assert counts.min() > 0 and counts.var() < 0.5 * 64 * 0.25 * 0.75, pair


def from_above(define, samples):
    """Radiance of blocks of 20 x 20 pixels of a level grey floor 3 m below a camera, under what ``define(stage)`` puts there: [12, 16, 3]."""
    stage = kit.new_stage()
    kit.ground(stage, "/World/floor", kit.material(stage, "/World/grey", (0.5, 0.5, 0.5), ior=1.0), half=4.0)
    define(stage)
    T = DOWN.copy()
    T[2, 3] = 2.9
    frame = kit.render(stage, kit.rig_of(kit.pinhole(320, 240, 160.0), T_rig=T), samples=samples, smoothing=3 * (samples == 1))
    hdr = frame.sensors["camera"].channels["HdrColor"][..., :3].astype(np.float64)
    return hdr.reshape(12, 20, 16, 20, 3).mean((1, 3))


def square(stage, path, half, z, bound=None):
    kit.mesh(stage, path, [(-half, -half, z), (half, -half, z), (half, half, z), (-half, half, z)], [(0, 1, 2, 3)], bound)


def two_lamps(stage):
    """A red and a blue window above a shade."""
    square(stage, "/World/shade", 0.5, 1.5)
    for k, colour in enumerate([(1.0, 0.2, 0.2), (0.2, 0.2, 1.0)]):
        light = UsdLux.RectLight.Define(stage, f"/World/lamp_{k}")
        light.CreateIntensityAttr(20.0)
        light.CreateColorAttr(Gf.Vec3f(*colour))
        UsdGeom.Xformable(light).AddTranslateOp().Set(Gf.Vec3d(0, 3.0 * k - 1.5, 3.0))


def test_penumbrae_of_two_lamps_are_those_of_many_samples():
    off = from_above(two_lamps, 1) / from_above(two_lamps, 64) - 1
    assert np.abs(off).mean() < 0.015 and np.quantile(np.abs(off), 0.98) < 0.06


@pytest.mark.parametrize("half", [0.15, 0.5])
def test_a_glowing_panel_lights_the_floor_where_many_samples_say(half):
    def panel(stage):
        square(stage, "/World/panel", half, 3.0, kit.material(stage, "/World/glow", (0.0,) * 3, emissiveColor=(20.0,) * 3))

    got, expected = from_above(panel, 1)[..., 1], from_above(panel, 64)[..., 1]
    assert np.abs(got / expected - 1).max() < 0.2 and got.mean() == pytest.approx(expected.mean(), rel=0.02)


@pytest.mark.parametrize("half, height", [(0.1, 2.0), (0.5, 3.0)])
def test_a_glowing_panel_gives_what_its_form_factor_says(half, height):
    """Irradiance at the foot of a level square: 4 of its quarters, each (2 / pi) a atan(a) with a = x / hypot(x, h) for x = y (Siegel and Howell)."""

    def panel(stage):
        square(stage, "/World/panel", half, height, kit.material(stage, "/World/glow", (0.0,) * 3, emissiveColor=(20.0,) * 3))

    stage = kit.new_stage()
    kit.ground(stage, "/World/floor", kit.material(stage, "/World/grey", (0.5, 0.5, 0.5), ior=1.0), half=4.0)
    panel(stage)
    T = DOWN.copy()
    T[2, 3] = height - 0.1
    hdr = kit.render(stage, kit.rig_of(kit.pinhole(8, 8, 800.0), T_rig=T), samples=64, **kit.EXACT).sensors["camera"].channels["HdrColor"]
    a = half / np.hypot(half, height)
    assert hdr[..., :3].mean() == pytest.approx(0.5 * 20.0 * 4 * (1 / np.pi) * a * np.arctan(a), rel=0.02)
