"""Pictures of a user's stage: from above with the roof cut away, from a camera, of broken stages too; the stage stays as it is."""

import numpy as np
import pytest
import stage_kit as kit
from PIL import Image
from pxr import Gf, UsdGeom, UsdLux
from tailgate.errors import UserError
from tailgate.report import stage_sheet as sheets
from tailgate.report.stage_sheet import PlanPicture, draw_contexts, stage_sheet
from tailgate.runtime import stage_views
from tailgate.runtime.stage_views import from_corner, region, views
from tailgate.stage.check import check_stage
from tailgate.stage.contexts import Context, read_contexts
from tailgate.stage.extract import Extraction
from tailgate.stage.marks import mark_context


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    for name, value in (("SIDE", 96), ("WIDTH", 120), ("WHOLE", 200), ("SAMPLES", 1)):
        monkeypatch.setattr(stage_views, name, value)


def hall(unit=1.0, up="Z"):
    """A red floor of 20 x 20 m under a grey roof at 4 m, with a line across it, in a unit of choice."""
    stage = kit.new_stage()
    UsdGeom.SetStageMetersPerUnit(stage, unit)
    k = 1 / unit
    UsdGeom.SetStageUpAxis(stage, up)
    turn = np.eye(4) if up == "Z" else np.array([[1, 0, 0, 0], [0, 0, 1, 0], [0, -1, 0, 0], [0, 0, 0, 1.0]])
    red = kit.material(stage, "/World/red", (0.7, 0.05, 0.05))
    kit.box(stage, "/World/floor", (-10 * k, -10 * k, -k), (10 * k, 10 * k, 0), red, turn)
    kit.box(stage, "/World/roof", (-10 * k, -10 * k, 4 * k), (10 * k, 10 * k, 4.2 * k), None, turn)
    line = UsdGeom.BasisCurves.Define(stage, "/World/line")
    line.CreatePointsAttr([Gf.Vec3f(*(turn[:3, :3] @ p)) for p in ((-8 * k, 0, 0), (8 * k, 0, 0))])
    line.CreateCurveVertexCountsAttr([2])
    line.CreateTypeAttr("linear")
    mark_context(stage, "/World/line", "aisle", stage.GetRootLayer(), 2.0)
    return stage


def seen(stage):
    contexts = read_contexts(stage)
    return [*views(stage, check_stage(stage), contexts), contexts]


@pytest.mark.parametrize("unit, up", [(1.0, "Z"), (0.01, "Y")])
def test_a_roof_is_cut_away_and_the_room_lit(unit, up):
    stage = hall(unit, up)
    before = stage.GetRootLayer().ExportToString(), stage.GetSessionLayer().ExportToString()
    above, look, (line,) = seen(stage)
    middle = above.image[30:66, 80:120].reshape(-1, 3).mean(0)
    assert middle[0] > 60 and middle[0] > 2 * middle[1], "the floor is seen, not the roof"
    assert look.title == "along /World/line" and look.image.std() > 5
    assert (stage.GetRootLayer().ExportToString(), stage.GetSessionLayer().ExportToString()) == before
    ends = above.pixels(line.points)
    assert ends[0, 0] < ends[1, 0] and abs(ends[0, 1] - ends[1, 1]) < 0.1 and 0 < ends.min() and ends[:, 0].max() < 200
    assert np.ptp(ends[:, 0]) == pytest.approx(16 * 200 / (region_width(stage)), rel=0.02)


def region_width(stage):
    low, high = region(check_stage(stage).facts, read_contexts(stage))
    return float(high[0] - low[0])


def test_a_broken_stage_has_a_picture_too(tmp_path):
    """No light, camera, label or context; NaN points, a face out of range, a light without area: what can be shown is."""
    stage = kit.new_stage()
    kit.box(stage, "/World/crate", (0, 0, 0), (1, 1, 1), kit.material(stage, "/World/green", (0.05, 0.6, 0.05)))
    bad = kit.box(stage, "/World/bad", (2, 0, 0), (3, 1, 1))
    points = list(bad.GetPointsAttr().Get())
    points[0] = Gf.Vec3f(float("nan"))
    bad.GetPointsAttr().Set(points)
    kit.mesh(stage, "/World/range", [(0, 0, 0), (1, 0, 0), (0, 1, 0)], [(0, 1, 7)])
    UsdLux.RectLight.Define(stage, "/World/flat").CreateWidthAttr(0.0)
    report = check_stage(stage)
    above, look = views(stage, report, ())
    assert look.title == "from a corner" and above.image.std() > 5
    green = look.image[..., 1].astype(int) - look.image[..., 0]
    assert (green > 30).mean() > 0.02
    sheet = stage_sheet(report, (), PlanPicture(above.image, above.pixels, 20.0), (look.title, look.image), tmp_path / "sheet.png")
    assert Image.open(sheet).size[0] > 1600


def test_a_sheet_says_how_many_findings_it_leaves_out(tmp_path, monkeypatch):
    report, said = check_stage(hall()), []
    assert len(report.findings) > 1
    monkeypatch.setattr(sheets, "MOST", 1)
    monkeypatch.setattr(sheets, "write", lambda pen, place, text, *more, **options: said.append(text))
    blank = np.zeros((60, 80, 3), np.uint8)
    stage_sheet(report, (), PlanPicture(blank, lambda p: p[:, :2], 20.0), ("from a corner", blank), tmp_path / "sheet.png")
    assert f"and {len(report.findings) - 1} more, which 'tailgate check' prints" in said


def test_a_stage_is_read_once_for_its_pictures(monkeypatch):
    """However many are taken: once by the check, once for them."""
    readings = []
    run = Extraction.run
    monkeypatch.setattr(Extraction, "run", lambda self: readings.append(self.stage) or run(self))
    stage = hall()
    stage.RemovePrim("/World/roof")
    report = check_stage(stage)
    assert len(readings) == 1
    views(stage, report, read_contexts(stage))
    assert len(readings) == 2


def test_nothing_to_show():
    stage = kit.new_stage()
    with pytest.raises(UserError, match="shows nothing"):
        views(stage, check_stage(stage), ())


def test_the_stages_own_camera_and_light_are_taken():
    stage = hall()
    UsdLux.DomeLight.Define(stage, "/World/sky")
    eye = UsdGeom.Camera.Define(stage, "/World/eye")
    eye.CreateHorizontalApertureAttr(20.0)
    eye.CreateVerticalApertureAttr(10.0)
    eye.AddTranslateOp().Set((0, 0, 3))
    _, look, _ = seen(stage)
    assert look.title == "camera /World/eye" and look.image.shape == (60, 120, 3)
    assert look.image[..., 0].mean() > 1.5 * look.image[..., 1].mean(), "it looks down on the red floor"


def test_a_box_seen_from_a_corner_fills_the_picture():
    stage = hall()
    _, look, _ = seen(stage)
    low, high = np.array([3.0, -2, 0]), np.array([9.0, 5, 1.5])
    T = from_corner(low, high, look.model)
    corners = np.array([[x, y, z] for x in (low[0], high[0]) for y in (low[1], high[1]) for z in (low[2], high[2])])
    local = (corners - T[:3, 3]) @ T[:3, :3]
    share = np.abs(local[:, :2] / local[:, 2:]) * [look.model.fx, look.model.fy] / [look.model.width / 2, look.model.height / 2]
    assert (local[:, 2] > 0).all() and share.max() == pytest.approx(0.9, abs=1e-6)


def test_contexts_are_drawn_where_they_are():
    stage = hall()
    above, _, contexts = seen(stage)
    plain = PlanPicture(np.full_like(above.image, 90), above.pixels, 200 / region_width(stage))
    drawn = draw_contexts(plain, contexts)
    rows = np.flatnonzero((np.ptp(drawn[:, 110:140].astype(int), axis=2) > 20).any(1))
    band = 2.0 * plain.metre
    assert abs(rows.mean() - above.pixels(contexts[0].centre[None])[0, 1]) < 2 and band * 0.8 < np.ptp(rows) < band * 1.6


def test_a_surface_of_many_triangles_is_filled():
    """A disk of 40 m in 131,072 triangles, and in 32, cover the same pixels."""
    covered = []
    for rings, around in ((256, 256), (1, 32)):
        r, a = np.meshgrid(np.linspace(0, 20, rings + 1), np.arange(around) * 2 * np.pi / around, indexing="ij")
        points = np.stack([r * np.cos(a), r * np.sin(a), 0 * r], -1).reshape(-1, 3)
        k, n = np.meshgrid(np.arange(rings), np.arange(around), indexing="ij")
        corner = [k * around + n, (k + 1) * around + n, (k + 1) * around + (n + 1) % around, k * around + (n + 1) % around]
        triangles = np.stack([np.stack([corner[0], corner[1], corner[2]], -1), np.stack([corner[0], corner[2], corner[3]], -1)]).reshape(-1, 3)
        disk = Context("disk", "surface", 1.0, points, triangles)
        plain = PlanPicture(np.zeros((96, 120, 3), np.uint8), lambda p: p[:, :2] * 2 + [60, 48], 2.0)
        covered.append((draw_contexts(plain, [disk])[24:72].sum(2) > 30).mean())
    assert covered[0] == pytest.approx(covered[1], abs=0.03) and covered[1] > 0.5
