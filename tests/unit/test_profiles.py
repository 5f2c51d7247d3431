"""Photometric profiles: what a file of LM-63 says, by direction, against closed forms."""

import numpy as np
import pytest
import stage_kit as kit
from pxr import UsdGeom, UsdLux
from tailgate.stage.ies import COLUMNS, ROWS, parse, read_profile


def ies(path, down, around, intensity, head="IESNA:LM-63-2002\n[TEST] none\nTILT=NONE", kind=1, factor=1.0):
    """Write a file of intensities [H, V]; lines are broken as such files are."""
    numbers = [1, 1000, factor, len(down), len(around), kind, 2, 0, 0, 0, 1, 1, 50, *down, *around, *np.ravel(intensity)]
    lines = [" ".join(f"{v:g}" for v in numbers[k : k + 7]) for k in range(0, len(numbers), 7)]
    path.write_text(f"{head}\n" + "\n".join(lines))
    return path


def cosine(path, **more):
    """A lamp of 1000 cd ahead that fades as the cosine: Lambert's."""
    down = np.linspace(0, 90, 91)
    return ies(path, down, [0], 1000 * np.cos(np.deg2rad(down))[None], **more)


def wall_light(file, samples, **inputs):
    """Radiance of a white wall 4 m ahead of a point with a profile, [32, 32], and |cos| at which each pixel is met."""
    stage = kit.new_stage()
    look = kit.material(stage, "/World/look", (1.0, 1.0, 1.0), 0.5, ior=1.0)
    kit.mesh(stage, "/World/wall", [(4, 30, -30), (4, -30, -30), (4, -30, 30), (4, 30, 30)], [(0, 3, 2, 1)], look)
    light = UsdLux.SphereLight.Define(stage, "/World/lamp")
    light.AddTransformOp().Set(kit.gf(kit.T_FORWARD_LIGHT))
    light.CreateTreatAsPointAttr(True)
    light.CreateNormalizeAttr(True)
    light.CreateIntensityAttr(4.0)
    UsdLux.ShapingAPI.Apply(light.GetPrim()).CreateShapingIesFileAttr(str(file))
    for name, value in inputs.items():
        light.GetPrim().GetAttribute(f"inputs:shaping:ies:{name}").Set(value)
    frame = kit.render(stage, kit.rig_of(kit.pinhole(32, 32, 16.0)), samples=samples, smoothing=0, edges=False)
    hints = [line for line in frame.hints if "carries a label" not in line]
    v, u = np.mgrid[:32, :32]
    way = np.stack([np.ones((32, 32)), (15.5 - u) / 16, (15.5 - v) / 16], -1)
    return frame.sensors["camera"].channels["HdrColor"][..., 0].astype(np.float64), way / np.linalg.norm(way, axis=-1, keepdims=True), hints


@pytest.mark.parametrize("samples", [1, 8])
def test_a_lambertian_profile(tmp_path, samples):
    """E = I cos / d^2 with I = 1000 cos, d = 4 / cos."""
    got, way, hints = wall_light(cosine(tmp_path / "lamp.ies"), samples)
    np.testing.assert_allclose(got, 1000 * way[..., 0] ** 4 / 16 / np.pi, rtol=2e-3)
    assert hints == []


def test_normalized_and_narrowed(tmp_path):
    """Normalized, what goes ahead keeps its power: 2 cos of a hemisphere. Angles scaled by one half, the light ends at 45 degrees."""
    got, way, _ = wall_light(cosine(tmp_path / "lamp.ies"), 1, normalize=True)
    np.testing.assert_allclose(got, 2 * way[..., 0] ** 4 / 16 / np.pi, rtol=2e-3)
    got, way, _ = wall_light(tmp_path / "lamp.ies", 1, angleScale=0.5)
    angle = np.arccos(way[..., 0])
    expected = np.where(angle < np.pi / 4, 1000 * np.cos(2 * angle), 0) * way[..., 0] ** 3 / 16 / np.pi
    np.testing.assert_allclose(got, expected, rtol=5e-3, atol=0.02)


def test_directions_around_the_axis(tmp_path):
    """Angles around run from the light's x by way of its y: seen by the wall's camera x is to the right, y up."""
    around = [0, 90, 180, 270, 360]
    intensity = np.repeat(np.array([100.0, 200.0, 300.0, 400.0, 100.0])[:, None], 2, 1)
    got, way, _ = wall_light(ies(tmp_path / "lamp.ies", [0, 180], around, intensity), 1)
    turn = np.rad2deg(np.arctan2(way[..., 2], -way[..., 1])) % 360
    expected = np.interp(turn, around, intensity[:, 0]) * way[..., 0] ** 3 / 16 / np.pi
    np.testing.assert_allclose(got, expected, rtol=5e-3)


def test_symmetries_tilt_and_factors(tmp_path):
    """A quadrant, a half and the half from 90 to 270 degrees stand for the whole; lamp data before the table are skipped."""
    whole = np.array([1.0, 2, 3, 2, 1, 2, 3, 2, 1])
    for end in (90, 180, 360):
        around = np.arange(0, end + 1, 45)
        _, turned, got = parse(ies(tmp_path / "a.ies", [0, 90], around, np.repeat(whole[: len(around), None], 2, 1)).read_text())
        np.testing.assert_array_equal(turned, np.arange(0, 361, 45))
        np.testing.assert_array_equal(got[:, 0], whole)
    _, turned, got = parse(ies(tmp_path / "b.ies", [0, 90], [90, 180, 270], np.repeat([[1.0], [2.0], [3.0]], 2, 1)).read_text())
    assert np.interp([0, 90, 180, 270, 360], turned, got[:, 0], period=360).tolist() == [2, 1, 2, 3, 2]
    tilted = "IESNA:LM-63-1995\r\nTILT=INCLUDE\r\n1 3\r\n0 90 180\r\n1 0.9 0.8"
    assert parse(ies(tmp_path / "c.ies", [0, 90], [0], [[5.0, 6.0]], head=tilted, factor=2.0).read_text())[2][0].tolist() == [10, 12]


def test_the_mean_over_the_sphere(tmp_path):
    profile = read_profile(str(cosine(tmp_path / "lamp.ies")), 0.0)
    assert profile.table.shape == (ROWS, COLUMNS) and profile.mean == pytest.approx(250.0, rel=1e-4) and profile.share == 0.5


TYPE_B = "TILT=NONE\n1 1 1 2 1 2 2 0 0 0 1 1 1 0 90 0 5 5"
NOT_FINITE = ["TILT=NONE\n" + f"{value} " * 20 for value in ("nan", "inf")]


@pytest.mark.parametrize("text", ["", "IESNA:LM-63-2002\nTILT=NONE\n1 1000", "no profile", TYPE_B, *NOT_FINITE])
def test_what_is_no_profile_is_named(tmp_path, text):
    (tmp_path / "bad.ies").write_text(text)
    got, _, hints = wall_light(tmp_path / "bad.ies", 1)
    assert got.max() > 0 and len(hints) == 1 and "must be a profile of type C by LM-63" in hints[0]


def test_a_distant_light_has_no_profile(tmp_path):
    stage = kit.new_stage()
    sun = UsdLux.DistantLight.Define(stage, "/World/sun")
    UsdLux.ShapingAPI.Apply(sun.GetPrim()).CreateShapingIesFileAttr(str(cosine(tmp_path / "lamp.ies")))
    UsdGeom.Cube.Define(stage, "/World/cube")
    assert any("sun: inputs:shaping:ies:file is not honoured" in line for line in kit.render(stage, kit.rig_of(kit.pinhole(4, 4, 4.0))).hints)
