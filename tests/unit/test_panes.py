"""Light through panes: shares against their twin, closed forms and mitsuba's figures (``tests/oracles/panes.py``); labels, shadows and fog."""

import asyncio
import json
import sys

import numpy as np
import pytest
import stage_kit as kit
from checkout import ORACLES
from pxr import Gf, UsdGeom, UsdLux, UsdShade
from tailgate.config.sensor import LidarModel
from tailgate.frames import FrameId, Sample
from tailgate.geometry.quiet import wp
from tailgate.render.raytrace.backend import WarpBackend
from tailgate.render.raytrace.panes import pane_share, pane_twin
from tailgate.stage.extract import Extraction
from tailgate.stage.materials import FACE, PANE, PRESENCE, SHEET

sys.path.insert(0, str(ORACLES))
import panes as oracle

TABLE = json.loads((ORACLES / "panes.json").read_text())
CLEAR = 0.92307692
"""Share of light that passes a clear sheet of index 1.5 head-on: (1 - 0.04) / (1 + 0.04)."""


@wp.kernel
def share_kernel(kind: float, ior: float, opacity: float, clear: wp.array(dtype=float), cosine: wp.array(dtype=float), out: wp.array(dtype=wp.vec2)):
    k = wp.tid()
    out[k] = pane_share(kind, ior, opacity, clear[k], cosine[k])


@pytest.mark.parametrize("kind", [PRESENCE, FACE, SHEET])
@pytest.mark.parametrize("ior", [1.0, 1.31, 1.5, 2.4])
def test_shares_agree_with_the_sum_over_bounces(kind, ior):
    rng = np.random.default_rng(5)
    clear, cosine = rng.uniform(0.05, 1.0, 400), rng.uniform(0.02, 1.0, 400)
    out = wp.zeros(400, dtype=wp.vec2, device="cpu")
    held = [wp.array(a.astype(np.float32), dtype=float, device="cpu") for a in (clear, cosine)]
    wp.launch(share_kernel, dim=400, inputs=[float(kind), ior, 0.3, *held], outputs=[out], device="cpu")
    np.testing.assert_allclose(out.numpy().T, pane_twin(kind, ior, 0.3, clear, cosine), atol=3e-6)


def test_closed_forms_head_on():
    one = np.ones(1)
    mirrored, passed = pane_twin(FACE, 1.5, 0.0, one, one)
    assert mirrored == pytest.approx(0.04) and passed == pytest.approx(0.96)
    mirrored, passed = pane_twin(SHEET, 1.5, 0.0, one, one)
    assert mirrored == pytest.approx(2 * 0.04 / 1.04) and passed == pytest.approx(CLEAR)
    brewster = np.array([np.cos(np.arctan(1.5))])
    assert pane_twin(FACE, 1.5, 0.0, one, brewster)[0] == pytest.approx(((1.5**2 - 1) / (1.5**2 + 1)) ** 2 / 2)
    mirrored, passed = pane_twin(SHEET, 1.5, 0.0, one, np.array([0.2]))
    assert mirrored + passed == pytest.approx(1.0)


def glass(stage, path="/World/glass", colour=(0.0, 0.0, 0.0), **more):
    """Clear glass unless said otherwise."""
    return kit.material(stage, path, colour, **{"roughness": 0.0, "opacity": 0.0, **more})


def upright(stage, path, x, bound, half=50.0, tilt=0.0):
    """A square that faces the camera x metres ahead, turned about the vertical."""
    points = np.array([(0, -half, -half), (0, half, -half), (0, half, half), (0, -half, half)])
    return kit.mesh(stage, path, points, [(0, 1, 2, 3)], bound, kit.pose(x=x, yaw_deg=tilt))


def glowing(stage, path, colour):
    return kit.material(stage, path, (0.0, 0.0, 0.0), emissiveColor=colour, ior=1.0)


def colour(frame):
    """Radiance of the middle pixel."""
    hdr = frame.sensors["camera"].channels["HdrColor"]
    return hdr[hdr.shape[0] // 2, hdr.shape[1] // 2, :3].astype(np.float64)


@pytest.mark.parametrize("k", range(len(oracle.TILTS)))
def test_what_a_pane_mirrors_and_passes_agrees_with_mitsuba(k):
    stage = kit.new_stage()
    UsdLux.DomeLight.Define(stage, "/World/sky").CreateColorAttr(Gf.Vec3f(*oracle.AHEAD))
    upright(stage, "/World/wall", 200.0, glowing(stage, "/World/glow", oracle.BEHIND))
    upright(stage, "/World/pane", 2.0, glass(stage), 20.0, oracle.TILTS[k])
    frame = kit.render(stage, kit.rig_of(kit.pinhole(3, 3, 200.0)), {}, **kit.EXACT)
    theirs = TABLE["mirror"][k]
    np.testing.assert_allclose(colour(frame), theirs["mean"], atol=5 * max(theirs["error"]) + 1e-3)


@pytest.mark.parametrize("k", range(len(TABLE["ball"])))
def test_a_ball_lit_and_seen_through_a_pane_agrees_with_mitsuba(k):
    """A z-test over pixels and colours, as in ``test_direct_light``."""
    theirs, repeats = TABLE["ball"][k], 12
    stage = kit.new_stage()
    lamp = UsdLux.RectLight.Define(stage, "/World/lamp")
    lamp.CreateWidthAttr(oracle.LAMP["size"])
    lamp.CreateHeightAttr(oracle.LAMP["size"])
    lamp.CreateColorAttr(Gf.Vec3f(*oracle.LAMP["radiance"]))
    z = np.array(oracle.LAMP["position"]) - oracle.BALL
    z /= np.linalg.norm(z)
    x = np.cross([0, 0, 1.0], z)
    x /= np.linalg.norm(x)
    T = np.eye(4)
    T[:3, :3], T[:3, 3] = np.stack([x, np.cross(z, x), z], 1), oracle.LAMP["position"]
    lamp.AddTransformOp().Set(kit.gf(T))
    ball = UsdGeom.Sphere.Define(stage, "/World/ball")
    ball.CreateRadiusAttr(1.0)
    ball.AddTranslateOp().Set(Gf.Vec3d(*oracle.BALL))
    UsdShade.MaterialBindingAPI.Apply(ball.GetPrim()).Bind(kit.material(stage, "/World/look", oracle.ALBEDO, 0.4, ior=1.0))
    upright(stage, "/World/pane", 2.0, glass(stage), 20.0, theirs["tilt"])
    backend = WarpBackend(samples=192, **kit.EXACT)
    backend.open(stage, kit.rig_of(kit.pinhole(12, 12, 27.0)), {})
    rows, columns = np.array(TABLE["pixels"]).T
    got = []
    for clip in range(repeats):
        backend.apply(Sample(FrameId("test", 0, clip)))
        got.append(asyncio.run(backend.capture()).sensors["camera"].channels["HdrColor"][rows, columns, :3].astype(np.float64))
    backend.close()
    mean, error = np.mean(got, 0), np.std(got, 0, ddof=1) / np.sqrt(repeats)
    expected = np.array(theirs["mean"])
    slack = 0.01 * expected + 0.001 * expected.max()
    z = np.maximum(np.abs(mean - expected) - slack, 0) / np.sqrt(error**2 + np.array(theirs["error"]) ** 2 + 1e-12)
    print(f"tilt {theirs['tilt']}: largest z {z.max():.1f}, mean ratio {mean.sum() / expected.sum():.4f}")
    assert z.max() < 5 and mean.sum() / expected.sum() == pytest.approx(1.0, abs=0.01)


def test_tinted_glass_tints_what_is_behind_and_keeps_a_share_of_its_body():
    """A grey pane of opacity 0.4: glass that loses 0.4 on its way, over a body of 0.4 times its colour in even light."""
    stage = kit.new_stage()
    kit.lights(stage, sky=1.0)
    upright(stage, "/World/wall", 10.0, glowing(stage, "/World/glow", (8.0, 4.0, 2.0)))
    upright(stage, "/World/pane", 5.0, glass(stage, colour=(0.2, 0.4, 0.6), opacity=0.4, ior=1.5), 20.0)
    got = colour(kit.render(stage, kit.rig_of(kit.pinhole(3, 3, 200.0)), {}, **kit.EXACT))
    mirrored, passed = (float(v[0]) for v in pane_twin(SHEET, 1.5, 0.4, np.array([0.6]), np.ones(1)))
    # The pane's body takes its light from a third of the mean sky, as surfaces seen in mirrors do.
    np.testing.assert_allclose(got, passed * np.array([8, 4, 2]) + mirrored + 0.4 * 0.35 * np.array([0.2, 0.4, 0.6]), rtol=2e-3)


def test_presence_is_coverage_without_glass():
    stage = kit.new_stage()
    kit.lights(stage, sky=1.0)
    upright(stage, "/World/wall", 10.0, glowing(stage, "/World/glow", (8.0, 4.0, 2.0)))
    veil = kit.material(stage, "/World/veil", (0.0, 0.0, 0.0), roughness=0.0, opacity=0.25)
    UsdShade.Shader.Get(stage, "/World/veil/Surface").CreateInput("opacityMode", kit.Sdf.ValueTypeNames.Token).Set("presence")
    upright(stage, "/World/pane", 5.0, veil, 20.0)
    got = colour(kit.render(stage, kit.rig_of(kit.pinhole(3, 3, 200.0)), {}, **kit.EXACT))
    np.testing.assert_allclose(got, 0.75 * np.array([8, 4, 2]) + 0.25 * 0.04, rtol=2e-3)


def test_shadows_of_panes_are_tinted():
    """Sun from straight above through a red sheet on a white floor, no sky: half of the floor is lit through it."""
    stage = kit.new_stage()
    kit.lights(stage, sky=0.0, sun=np.pi)
    kit.ground(stage, "/World/floor", kit.material(stage, "/World/white", (1.0, 1.0, 1.0), 0.4, ior=1.0), z=-1.0)
    shader = UsdShade.Shader.Define(stage, "/World/red/Surface")
    shader.GetPrim().CreateAttribute("info:implementationSource", kit.Sdf.ValueTypeNames.Token).Set("sourceAsset")
    shader.SetSourceAsset("OmniGlass.mdl", "mdl")
    shader.SetSourceAssetSubIdentifier("OmniGlass", "mdl")
    shader.CreateInput("glass_color", kit.Sdf.ValueTypeNames.Color3f).Set(Gf.Vec3f(0.9, 0.3, 0.1))
    shader.CreateInput("glass_ior", kit.Sdf.ValueTypeNames.Float).Set(1.5)
    shader.CreateInput("thin_walled", kit.Sdf.ValueTypeNames.Bool).Set(True)
    red = UsdShade.Material.Define(stage, "/World/red")
    red.CreateSurfaceOutput("mdl").ConnectToSource(shader.ConnectableAPI(), "out")
    kit.mesh(stage, "/World/pane", [(-100, 0, 3), (100, 0, 3), (100, 100, 3), (-100, 100, 3)], [(0, 1, 2, 3)], red)
    frame = kit.render(stage, kit.rig_of(kit.pinhole(40, 40, 20.0)), {})
    hdr = frame.sensors["camera"].channels["HdrColor"][35, :, :3]
    passed = pane_twin(SHEET, 1.5, 0.0, np.array([0.9, 0.3, 0.1]), np.ones(3))[1]
    np.testing.assert_allclose(hdr[30], 1.0, rtol=3e-3)
    np.testing.assert_allclose(hdr[8], passed, rtol=3e-3)


def test_labels_and_depth_are_those_of_the_pane_and_colour_what_is_behind():
    stage = kit.new_stage()
    kit.lights(stage, sky=1.0)
    look = glass(stage, "/Tailgate/Objects/car/Looks/glass")
    upright(stage, f"{kit.mover(stage, 'car', 7, kit.pose(x=5.0))}/window", 0.0, look, 1.0)
    upright(stage, f"{kit.mover(stage, 'person', 9, kit.pose(x=9.0), 'person')}/body", 0.0, glowing(stage, "/World/glow", (5.0, 0.0, 0.0)), 30.0)
    frame = kit.render(stage, kit.rig_of(kit.pinhole(65, 65, 65.0)), {"car": 1, "person": 2}, **kit.EXACT)
    got = frame.sensors["camera"].channels
    assert got["instance_segmentation"][32, 32] == 7 and got["semantic_segmentation"][32, 32] == 1
    assert got["distance_to_image_plane"][32, 32] == pytest.approx(5.0, rel=1e-5) and got["normals"][32, 32, 0] == pytest.approx(-1.0, abs=1e-5)
    assert got["instance_segmentation"][2, 2] == 9 and got["HdrColor"][32, 32, 0] == pytest.approx(5.0 * CLEAR + 2 * 0.04 / 1.04, rel=2e-3)
    view = dict(zip(frame.objects.instance.tolist(), frame.sensors["camera"].view.visible.tolist(), strict=True))
    assert view[7] == (got["instance_segmentation"] == 7).sum() and view[9] == (got["instance_segmentation"] == 9).sum()


def test_fog_lies_before_and_behind_a_pane():
    """Radiative transfer along one ray: haze before the pane, the pane's mirror image, haze and wall behind it."""
    stage, fog = kit.new_stage(), 0.05
    kit.lights(stage, sky=1.0)
    upright(stage, "/World/wall", 20.0, glowing(stage, "/World/glow", (8.0, 4.0, 2.0)))
    upright(stage, "/World/pane", 5.0, glass(stage), 20.0)
    got = colour(kit.render(stage, kit.rig_of(kit.pinhole(3, 3, 200.0)), {}, {"fog_extinction": fog}, **kit.EXACT))
    near, far = np.exp(-fog * 5.0), np.exp(-fog * 15.0)
    behind = (1 - far) + far * np.array([8.0, 4.0, 2.0])
    np.testing.assert_allclose(got, (1 - near) + near * ((1 - CLEAR) + CLEAR * behind), rtol=2e-3)


def test_stages_without_panes_pass_none():
    stage = kit.new_stage()
    kit.box(stage, "/World/box", (4, -1, -1), (6, 1, 1), kit.material(stage, "/World/grey", (0.5, 0.5, 0.5)))
    assert (Extraction(stage, {}).run().material_table()[:, PANE] < 0).all()


def scan(stage, **model):
    """Exact channels of one sweep of a beam that looks along +x, and the frame."""
    device = LidarModel(**{"elevation_deg": [0.0], "columns": 8, "azimuth_start_deg": 0.0, **model})
    frame = kit.render(stage, kit.rig_of(lidar=device), {"car": 1})
    return frame.sensors["lidar"].channels, frame


def test_a_beam_passes_a_pane_both_ways():
    """What stands behind returns with the square of what the glass lets through at 905 nm; the glass returns its own share of dust."""
    stage = kit.new_stage()
    pane = glass(stage, colour=(0.2, 0.2, 0.2), opacity=0.2, roughness=0.05, reflectance=0.1)
    pane.GetPrim().CreateAttribute("tailgate:transmittance", kit.Sdf.ValueTypeNames.Float).Set(0.6)
    upright(stage, "/World/pane", 10.0, pane, 20.0, tilt=30.0)
    upright(stage, "/World/wall", 14.0, kit.material(stage, "/World/grey", (0.5,) * 3, reflectance=0.5), 20.0)
    got, _ = scan(stage)
    mirrored, passed = (float(v[0]) for v in pane_twin(SHEET, 1.5, 0.2, np.array([0.6]), np.array([np.cos(np.pi / 6)])))
    np.testing.assert_allclose(got["range"][0, 0], [14.0, 10.0, 0.0], atol=2e-3)
    np.testing.assert_allclose(got["reflectance"][0, 0, :2], [0.5 * passed**2, 0.1 * 0.2 * (1 - mirrored)], rtol=1e-3)
    wide, _ = scan(stage, sub_rays=7, divergence_mrad=(2.0, 2.0))
    np.testing.assert_allclose(wide["reflectance"][0, 0, :2], got["reflectance"][0, 0, :2], rtol=5e-3)


def test_smooth_glass_flashes_head_on():
    stage = kit.new_stage()
    upright(stage, "/World/pane", 10.0, glass(stage, opacity=0.1, roughness=0.1, reflectance=0.1), 20.0)
    upright(stage, "/World/wall", 14.0, kit.material(stage, "/World/grey", (0.5,) * 3, reflectance=0.5), 20.0)
    got, _ = scan(stage)
    mirrored = float(pane_twin(SHEET, 1.5, 0.1, np.array([0.9]), np.ones(1))[0][0])
    # Roughness 0.1 is slopes 0.01 wide: a peak of 1 / (pi 0.01^2), a quarter of which is the reflection for light along the view.
    assert got["range"][0, 0, 0] == pytest.approx(10.0, abs=1e-3)
    assert got["reflectance"][0, 0, 0] == pytest.approx(mirrored / (4 * 0.01**2), rel=1e-2)
    aside, _ = scan(stage, elevation_deg=[4.0])
    assert aside["range"][0, 0, 0] > 13.9 and aside["reflectance"][0, 0, 1] < 0.02


def test_windows_hide_nothing_from_a_scanner():
    """A car of one pane and one plate behind it: all of the plate is seen, and nothing of the car counts as hidden."""
    stage = kit.new_stage()
    path = kit.mover(stage, "car", 3, kit.pose(x=10.0))
    upright(stage, f"{path}/window", 0.0, glass(stage, f"{path}/Looks/glass"), 5.0, tilt=15.0)
    upright(stage, f"{path}/plate", 2.0, kit.material(stage, f"{path}/Looks/plate", (0.5,) * 3, reflectance=0.5), 1.0)
    got, frame = scan(stage, columns=720, azimuth_start_deg=180.0)
    view = frame.sensors["lidar"].view
    plate = np.abs(got["range"][..., 0] * np.cos(np.deg2rad(got["azimuth"])) - 12.0) < 0.01
    assert view.visible[0] == view.alone[0] == plate.sum() > 10 and view.occluded[0] == 0
    assert (got["instance"][..., 0][plate] == 3).all()


def test_panes_can_be_clouded():
    stage = kit.new_stage()
    kit.lights(stage, sky=0.0)
    upright(stage, "/World/wall", 10.0, glowing(stage, "/World/glow", (8.0, 4.0, 2.0)))
    upright(stage, "/World/pane", 5.0, glass(stage), 20.0)
    rig = kit.rig_of(kit.pinhole(3, 3, 200.0))
    got = [colour(kit.render(stage, rig, {}, {"transparency": share}, **kit.EXACT)) for share in (0.0, 0.5, 1.0)]
    passed = [0.0, *(float(pane_twin(SHEET, 1.5, 0.0, np.array([share]), np.ones(1))[1][0]) for share in (0.5, 1.0))]
    np.testing.assert_allclose(got, np.outer(passed, [8, 4, 2]), rtol=1e-3, atol=1e-6)
