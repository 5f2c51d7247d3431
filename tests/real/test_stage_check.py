"""What the check says of scenes and models by other authors, and what becomes of them once they are marked."""

import numpy as np
import pytest
from pxr import Usd
from tailgate.randomize.slots import read_shape
from tailgate.runtime import stage_views
from tailgate.runtime.stage_check import StageRequest, check, picture_stage
from tailgate.runtime.stage_marks import Marks, write_marks
from tailgate.stage.check import check_stage
from tailgate.stage.contexts import read_contexts
from tailgate.stage.excerpt import cut_asset
from tailgate.stage.layers import open_base

CAR = "usd/Vehicles/USD_Mini_Car_Kit/assets/vehicles/{0}/asset/{0}FullAsset.usda"
ROOM = "usd/cornell-box/{0}/cornell-box.usda"
IN_CM = "makes it {0} m (say so with: tailgate mark {1}FullAsset.usda --meters-per-unit 0.01"
SAID = [
    *((CAR.format(name), "units", IN_CM.format(height, name)) for name, height in (("sedan", 2.26), ("van", 2.58), ("truckFlat", 2.58))),
    *((CAR.format(name), "units", IN_CM.format(height, name)) for name, height in (("ambulance", 2.85), ("tractor", 2.73), ("4wd", 1.1))),
    (CAR.format("van"), "units", "vanGeo.usd is in units of 2 m with Y up, the stage in 1 m with Y up"),
    (CAR.format("sedan"), "ground", "if it is a model rather than a scene, use it for a class"),
    ("usd/ElephantWithMonochord/SoC-ElephantWithMonochord.usdc", "units", "1.24 mm long at metersPerUnit 0.01; it would be 12.4 cm in metres"),
    ("usd/ElephantWithMonochord/SoC-ElephantWithMonochord.usdc", "renderer", "skinned meshes are shown as modelled"),
    ("usd/Teapot/Teapot.usd", "lights", "no light shines and nothing glows"),
    ("usd/newton/rj45_plug.usd", "renderer", "/World/CableCurve: BasisCurves is not shown"),
    ("usd/newton/crazyflie.usd", "ground", "nothing in the stage is wide, low and level"),
    ("usd/McUsd/McUsd.usda", "ground", "/McUsd/Geom/grass_block_top: this looks like the ground: 161 m² that face up at a height of 1.00 m"),
    ("usd/McUsd/McUsd_10cm.usda", "ground", "1.61 m² that face up at a height of 0.10 m"),
    ("usd/McUsd/McUsd.usda", "lights", "2 lights of the stage's own"),
    (ROOM.format("usdpreviewsurface"), "contexts", "tailgate mark cornell-box.usda --context /cornell_box/floor/floor=surface"),
    (ROOM.format("mdl"), "renderer", "material /cornell_box/materials/red: red is not understood, shown grey"),
    (ROOM.format("mtlx-ref"), "composition", "a reference names cornell-box.mtlx, which is of a format that this USD cannot read"),
    (ROOM.format("display-color"), "lights", "no light shines and nothing glows"),
]
SOUND = [("usd/Teapot/Teapot.usd", "units"), ("usd/McUsd/McUsd.usda", "units"), (ROOM.format("mtlx-usdshade"), "lights")]


def opened(data_root, path):
    if not (data_root / path).is_file():
        pytest.skip(f"{path} is not among the data")
    return open_base(data_root / path)


@pytest.mark.parametrize("path, topic, words", SAID)
def test_sentences(data_root, monkeypatch, path, topic, words):
    stage = opened(data_root, path)
    monkeypatch.chdir((data_root / path).parent)
    report = check_stage(stage)
    assert any(words in f.sentence for f in report.findings if f.topic == topic), [f.sentence for f in report.findings]
    assert not report.ok, "none of them has a context"


@pytest.mark.parametrize("path, topic", SOUND)
def test_nothing_is_said_where_nothing_is_wrong(data_root, path, topic):
    assert not [f.sentence for f in check_stage(opened(data_root, path)).findings if f.topic == topic and f.severity != "note"]


def test_a_lawn_in_centimetres_with_y_up_becomes_a_context(data_root, tmp_path):
    opened(data_root, "usd/McUsd/McUsd.usda")
    out = tmp_path / "mine.usda"
    write_marks(data_root / "usd/McUsd/McUsd.usda", out, Marks(contexts=(("/McUsd/Geom/grass_block_top", "surface"),)))
    report = check_stage(stage := open_base(out))
    (lawn,) = read_contexts(stage)
    assert lawn.area == pytest.approx(161) and np.ptp(lawn.points[:, 2]) < 1e-4 and lawn.points[0, 2] == pytest.approx(1.0, abs=1e-4)
    assert report.ok and not [f for f in report.findings if f.topic == "ground" and f.severity != "warning"]


def test_a_room_becomes_a_base_scene(data_root, tmp_path, monkeypatch):
    """The Cornell box, marked: mugs stand on its floor beside the boxes, and the sheet shows it."""
    monkeypatch.setattr(stage_views, "SAMPLES", 1)
    opened(data_root, ROOM.format("usdpreviewsurface"))
    out = tmp_path / "mine.usda"
    write_marks(data_root / ROOM.format("usdpreviewsurface"), out, Marks(contexts=(("/cornell_box/floor/floor", "surface"),)))
    request = StageRequest(open_base(out), "table_top", classes=("mug", "bottle"), cache=tmp_path / "cache")
    report, clip = check(request)
    assert report.ok and any("of 4 clips found a place for a mug" in f.sentence for f in report.of("note") + report.of("warning"))
    (boxes,) = [f for f in report.findings if f.topic == "ground"]
    assert "lies inside a solid" in boxes.found and 14 <= float(boxes.found.split()[0]) <= 22, "the boxes cover 18 % of the floor"
    assert picture_stage(request, report, clip, tmp_path / "sheet.png").stat().st_size > 50_000


def test_a_car_is_cut_out_of_a_stage_that_declares_a_wrong_unit(data_root, tmp_path):
    """The sedan is 466 units long; read in centimetres it is 4.67 m, with the materials of its parts."""
    from tailgate.assets import from_usd

    stage = opened(data_root, CAR.format("sedan"))
    cut_asset(stage, "/sedanAsset").Export(str(tmp_path / "sedan.usdc"))
    with pytest.warns(UserWarning, match="read in centimetres instead"):
        wrapper = from_usd(tmp_path / "sedan.usdc", "car", tmp_path / "cache")
    shape = read_shape(wrapper)
    assert sorted(shape.high - shape.low)[-1] == pytest.approx(4.665, abs=0.01)
    alone = Usd.Stage.Open(str(tmp_path / "sedan.usdc"))
    assert not alone.GetCompositionErrors() and sum(p.GetTypeName() == "Material" for p in alone.Traverse()) >= 4
