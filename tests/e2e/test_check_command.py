"""``tailgate check`` and ``tailgate mark`` on a stage of the user's own: from a refusal to a stage that a budget can use."""

import json
import sys

import numpy as np
import pytest
import stage_kit as kit
from checkout import ROOT
from PIL import Image
from pxr import Usd, UsdGeom
from tailgate.cli import app as cli
from tailgate.runtime import stage_views
from tailgate.stage.labels import set_labels


@pytest.fixture
def run(monkeypatch, tmp_path, capsys):
    """Run a command in this process: (exit code, what it printed)."""
    monkeypatch.chdir(tmp_path)

    def call(*args: object) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["tailgate", *map(str, args)])
        monkeypatch.setattr(cli.console, "_file", None)
        monkeypatch.setattr(cli.stderr, "_file", None)
        with pytest.raises(SystemExit) as ended:
            cli.main()
        printed = capsys.readouterr()
        return ended.value.code or 0, printed.out + printed.err

    return call


@pytest.fixture
def street(tmp_path):
    """A road of 80 m in centimetres with Y up, two sidewalks in one mesh, and a crate; nothing of it is marked."""
    stage = Usd.Stage.CreateNew(str(tmp_path / "town.usda"))
    UsdGeom.SetStageMetersPerUnit(stage, 0.01)
    UsdGeom.SetStageUpAxis(stage, UsdGeom.Tokens.y)
    stage.SetDefaultPrim(UsdGeom.Xform.Define(stage, "/World").GetPrim())
    kit.box(stage, "/World/road", (-4000, -20, -350), (4000, 0, 350))
    walks = [(x, 15, z) for low, high in ((350, 600), (-600, -350)) for x, z in ((-4000, low), (-4000, high), (4000, high), (4000, low))]
    kit.mesh(stage, "/World/walks", walks, [(0, 1, 2, 3), (4, 5, 6, 7)])
    set_labels(kit.box(stage, "/World/crate", (900, 15, 400), (960, 45, 440)).GetPrim(), "class", "crate")
    stage.GetRootLayer().Save()
    return tmp_path / "town.usda"


@pytest.mark.parametrize(
    "names, words",
    [
        (("--scenario", "stret"), "--scenario: scenario 'stret' was not found as a file or in configs/scenarios (did you mean 'street'?)"),
        (("--scenario", "street", "--rig", "kiti"), "--rig: rig 'kiti' was not found as a file or in configs/rigs (did you mean 'kitti'?)"),
        (("--scenario", "street", "--classes", "person,persn"), "--classes: unknown asset class 'persn' (did you mean 'person'?)"),
    ],
)
def test_a_mistyped_name_is_a_mistake_whatever_the_stage_is_like(run, street, names, words):
    code, said = run("check", street, *names)
    assert code == 2 and words in " ".join(said.split())


def test_from_a_refusal_to_a_stage_that_can_be_used(run, street, tmp_path, monkeypatch):
    monkeypatch.setattr(stage_views, "SAMPLES", 1)
    monkeypatch.setattr(stage_views, "WIDTH", 400)
    before = street.read_bytes()
    code, said = run("check", street, "-o", "town.png")
    assert code == 1 and "the stage has no context" in said and "not ready: 1 problem" in said
    assert "mark one with: tailgate mark town.usda --context /World/road=surface -o NEW.usda" in said
    picture = np.asarray(Image.open(tmp_path / "town.png"))
    assert picture.shape[1] > 1600 and picture.std() > 20
    marks = ["/World/road=lane", "/World/road=ego:3", "/World/walks=sidewalk"]
    sets = [part for mark in marks for part in ("--context", mark)]
    code, said = run("mark", street, *sets, "--label", "/World/road=road", "--asset", "/World/crate=crate", "-o", "mine.usda")
    assert code == 0 and "/Contexts/walks_sidewalk is a context of kind sidewalk" in said and "usd: crate.usdc" in said
    code, said = run("check", "mine.usda", "--json")
    held = json.loads(said)
    assert code == 0 and held["ok"] and [c["kind"] for c in held["facts"]["contexts"]] == ["ego", "lane", "sidewalk", "sidewalk"]
    assert held["facts"]["contexts"][1]["width_m"] == pytest.approx(7, abs=0.01)
    assert held["facts"]["size_m"] == pytest.approx([80, 12, 0.65], abs=1e-3)
    code, said = run("check", "mine.usda", "--scenario", "street", "--classes", "person,crate")
    assert code == 0 and "4 of 4 clips found a place for a person" in said and "found a place for a crate" in said
    assert street.read_bytes() == before


def test_a_scenario_that_does_not_suit_the_stage(run, street):
    run("mark", street, "--context", "/World/walks=sidewalk", "-o", "mine.usda")
    code, said = run("check", "mine.usda", "--scenario", "street", "--classes", "person")
    assert code == 1 and "needs a surface context in the base scene, got none" in said


def test_warnings_are_said_by_a_dry_run(run, street, tmp_path):
    run("mark", street, "--context", "/World/road=lane", "--context", "/World/road=ego:3", "-o", "mine.usda")
    (tmp_path / "mine.yaml").write_text((ROOT / "configs/scenarios/street.yaml").read_text().replace("base: street", "base: mine.usda"))
    budget = (ROOT / "configs/budgets/quickstart.yaml").read_text().replace("file: street", "file: mine.yaml")
    (tmp_path / "b.yaml").write_text(budget)
    code, said = run("generate", "b.yaml", "--dry-run")
    words = "mine.usda: no light shines and nothing glows; pictures are black unless the scenario brings its own light"
    assert code == 0 and words in " ".join(said.split())
