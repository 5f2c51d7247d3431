"""Bad input on every command: one sentence with its place and the nearest name, exit code 2, and nothing written."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from checkout import ROOT
from pxr import Usd
from rich.console import Console
from tailgate.cli import app as cli

QUICKSTART = ROOT / "configs/budgets/quickstart.yaml"
BUDGET, STREET = QUICKSTART.read_text(), (ROOT / "configs/scenarios/street.yaml").read_text().replace("name: street", "name: mine")
RIG = (ROOT / "configs/rigs/quickstart_street.yaml").read_text()


@pytest.fixture
def refused(monkeypatch, tmp_path, capfd):
    """Run a command in this process; returns the one sentence it must end with."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TAILGATE_DATA", raising=False)

    def run(*args: object) -> str:
        err = io.StringIO()
        monkeypatch.setattr(sys, "argv", ["tailgate", *map(str, args)])
        monkeypatch.setattr(cli, "stderr", Console(file=err, highlight=False))
        before = sorted(tmp_path.rglob("*"))
        with pytest.raises(SystemExit) as ended:
            cli.main()
        said = err.getvalue()
        assert ended.value.code == 2, said
        assert said.startswith("error: ") and said.count("\n") == 1 and "Traceback" not in capfd.readouterr().err
        assert sorted(tmp_path.rglob("*")) == before, "nothing may be written"
        return said

    return run


@pytest.fixture
def budget(refused, tmp_path):
    """Refusal of the quickstart with ``old`` replaced by ``new`` and lines added."""

    def run(old: str = "", new: str = "", added: str = "", *options: object) -> str:
        assert old in BUDGET
        (tmp_path / "b.yaml").write_text(BUDGET.replace(old, new, 1) + added)
        return refused("generate", tmp_path / "b.yaml", "--out", tmp_path / "out", *options)

    return run


@pytest.mark.parametrize(
    "old, new, words",
    [
        ("rounds: 6", "rounds: six", "b.yaml:19: limits.rounds: rounds must be a whole number, got 'six'"),
        ("rounds: 6", "rounds: 6\n  rounds: 7", "b.yaml:20: is not valid YAML: found duplicate key"),
        ("cells:", "cells: [", "b.yaml:"),
        ("limits:", "limts:", "unknown key 'limts' (did you mean 'limits'?)"),
        ("class: stroller", "class: strollr", "b.yaml:7: cells[1].class: unknown asset class 'strollr' (did you mean 'stroller'?)"),
        ("file: street", "file: stret", "b.yaml:11: scenarios[0].file: scenario 'stret' was not found"),
        ("file: street", "file: ../../etc/passwd", "scenarios[0].file: path must lie in one of"),
        ("rig: quickstart_street", "rig: quickstart_stret", "b.yaml:12: rig: rig 'quickstart_stret' was not found"),
        ("rig: quickstart_street", "rig: av2:x", "needs real data"),
        ("target: 16", "target: -1", "cells[0].target: target must be greater than or equal to 0, got -1"),
        ("target: 16", "target: 1e12", "target must be less than or equal to 10000000"),
        ("rounds: 6", "rounds: 1000000000000", "limits.rounds: rounds must be less than"),
        ("rounds: 6", "rounds: 6\n  clips: 7", "clips must be at least batch_clips x batches_per_round"),
        ("rounds: 6", "rounds: 6\n  hours: .nan", "hours must be a finite number, got nan"),
        ("range: [4, 25]", "range: [.inf, 25]", "cells[0].range[0]: range must be a finite number"),
        ("range: [4, 25]", "range: [25, 4]", "range must be [low, high]"),
        ("range: [4, 25]", "range: [400, 500]", "cells[0].range: range must be one that a sensor of the rig reaches"),
        ("light: dusk", "light: indoor", "cells[3].light: light must be one that a scenario makes (street: day, dusk, night, overcast)"),
        ("name: quickstart", "name: ../x", "name must be up to 100 letters"),
        ("frames: 6", "frame: 6", "unknown option 'frame'"),
        ("frames: 6", "frames: -6", "options.frames must be a whole number from 1"),
        ("options: {frames: 6}", "split: {feedback: [a]}", "holds no recordings"),
        ("mode: enforce", "mode: enforce\n  statistics: {rnge_noise: 1}", "gate.statistics.rnge_noise: unknown statistic"),
        ("cells:", "ontology: {stroller: {asset: strollr}}\ncells:", "b.yaml:5: ontology.stroller.asset: unknown asset class"),
        ("cells:", "ontology: {stroller: {asset: stroller, usd: /etc/hostname}}\ncells:", "ontology.stroller.usd: path must lie in one of"),
        ("cells:", "ontology: {stroller: {asset: stroller, usd: s.usd}}\ncells:", "ontology.stroller.usd: USD file not found"),
        ("cells:", "ontology: {stroller: {asset: stroller, usd: b.yaml}}\ncells:", "must open as USD"),
        ("cells:", "priors: {strolle: {n: 3, range: [1, 2, 3, 4, 5]}}\ncells:", "priors.strolle: unknown class"),
        ("cells:", "priors: {stroller: {n: 3, range: [5, 4, 3, 2, 1]}}\ncells:", "quantiles must rise"),
    ],
)
def test_budget(budget, old, new, words):
    assert words in budget(old, new)


def test_an_alias_that_grows_without_end(budget):
    lines = ["a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"] + [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 8)]
    assert "values, aliases written out" in budget(added="\n".join(lines) + "\n")


@pytest.mark.parametrize(
    "text, words",
    [
        ("cells[0].target", "--set must be path=value"),
        ("cells[9].target=3", "there is no '9'"),
        ("limits.round=3", "--set: limits.round: unknown key 'round' (did you mean 'rounds'?)"),
        ("limits.rounds=[", "--set limits.rounds:1: is not valid YAML"),
    ],
)
def test_overrides(refused, text, words):
    assert words in refused("generate", QUICKSTART, "--out", "out", "--set", text)


@pytest.mark.parametrize(
    "old, new, words",
    [
        ("placement.contexts", "placement.context", "mine.yaml:12: randomizers[3]: unknown randomizer"),
        ("radius_m", "radius", "mine.yaml:10: randomizers[2]: unknown option"),
        ("      count:", "      cout:", "mine.yaml:19: randomizers[5].settings.cout: unknown setting"),
        ("{kind: ranged, low: 2, high: 10}", "{kind: choice, values: [a]}", "randomizers[5].settings.count: setting count must draw numbers"),
        ("low: 2, high: 10", "low: 20, high: 10", "settings.count.dist.low: low must be below high"),
        ("sign, dog", "sign, dgo", "mine.yaml:6: distractors[8]: unknown asset class 'dgo' (did you mean 'dog'?)"),
        ("motorcycle, barrier", "motorcycl, barrier", "randomizers[4].options: unknown asset class 'motorcycl'"),
        ("[car, van, motorcycle, barrier, drum, bollard]", "car", "option classes of randomizer occlusion.blockers must be a list"),
        ("base: street", "base: stret", "mine.yaml:3: base: unknown base scene"),
        ("base: street", "base: b.yaml", "must be a readable USD file"),
        ("base: street", "base: street\nbase_options: {flors: 2}", "unknown parameter of base 'street' 'flors' (did you mean 'floors'?)"),
    ],
)
def test_scenario(budget, tmp_path, old, new, words):
    assert old in STREET
    (tmp_path / "mine.yaml").write_text(STREET.replace(old, new, 1))
    assert words in budget("file: street", "file: mine.yaml")


PLAZA = """#usda 1.0
(
    metersPerUnit = UNIT
    upAxis = "Z"
)
def Xform "World" {
    def Mesh "plaza" (prepend apiSchemas = ["SemanticsLabelsAPI:class"]) {
        int[] faceVertexCounts = [4]
        int[] faceVertexIndices = [0, 1, 2, 3]
        point3f[] points = [(-30, -30, 0), (30, -30, 0), (30, 30, 0), (-30, 30, 0)]
        uniform token subdivisionScheme = "none"
        token[] semantics:labels:class = ["plaza"]
    }
    MORE
}
"""
CONTEXT = 'def BasisCurves "lane" {\n token type = "linear"\n int[] curveVertexCounts = [2]\n point3f[] points = [(-25, 0, 0), (25, 0, 0)]\n' + (
    ' custom token tailgate:context = "lane"\n custom float tailgate:width = 4\n}'
)


def write_stage(path: Path, more: str = CONTEXT, unit: str = "1") -> Path:
    path.write_text(PLAZA.replace("MORE", more).replace("UNIT", unit))
    return path


@pytest.mark.parametrize(
    "more, unit, words",
    [
        ("", "1", "the stage has no context, so objects have no place to stand"),
        ("", "1", "tailgate mark plaza.usda --context /World/plaza=surface -o NEW.usda"),
        (CONTEXT.replace('"lane"\n custom', '"lne"\n custom'), "1", "unknown tailgate:context of /World/lane 'lne' (did you mean 'lane'?)"),
        (CONTEXT.replace(", 0)", ", 5)"), "1", "the lane has no ground within 0.6 m anywhere: the ground is 5.00 m below it"),
        (CONTEXT + '\ndef "a" (references = @gone.usda@) {}', "1", "/World/a: a reference names gone.usda, which was not found"),
        (CONTEXT + '\ndef "a" (references = </World>) {}', "1", "/World/a: its reference of /World leads back to itself"),
        (CONTEXT + '\ndef Sphere "person" {\n double radius = 85\n}', "1", "metersPerUnit 0.01 (centimetres) makes it 1.7 m"),
        (CONTEXT, "0", "metersPerUnit must be a number of metres above 0, got 0"),
    ],
)
def test_stage(budget, tmp_path, more, unit, words):
    """What generate says of a user's own stage is what the check says."""
    write_stage(tmp_path / "plaza.usda", more, unit)
    (tmp_path / "mine.yaml").write_text(STREET.replace("base: street", "base: plaza.usda"))
    said = budget("file: street", "file: mine.yaml")
    assert words in said and "plaza.usda" in said


@pytest.mark.parametrize(
    "args, words",
    [
        (("check", "nope.usda"), "nope.usda: base scene must be a USD file, and this file was not found"),
        (("check", "b.yaml"), "b.yaml: base scene must be a readable USD file, and USD cannot open it"),
        (("check", "plaza.usda", "-o", "a/b.png"), "its folder does not exist"),
        (("check", "plaza.usda", "-o", "plaza.usda"), "plaza.usda: cannot be written: its name must end in .png"),
        (("check", "plaza.usda", "--rig", "street_car"), "--rig says how a scenario is tried: name it with --scenario"),
        (("check", "plaza.usda", "--scenario", "stret"), "scenario 'stret' was not found"),
        (("check", "plaza.usda", "--scenario", "street", "--rig", "kiti"), "rig 'kiti' was not found"),
        (("mark", "plaza.usda", "-o", "new.usda"), "name something to mark: --context"),
        (("mark", "plaza.usda", "-o", "new.txt", "--up", "Y"), "an overlay must be written as .usda, .usd, .usdc, got 'new.txt'"),
        (("mark", "plaza.usda", "-o", "plaza.usda", "--up", "Y"), "an overlay must not replace the stage it refers to"),
        (("mark", "plaza.usda", "-o", "other.usda", "--up", "Y"), "an overlay must not replace a file that is none"),
        (("mark", "plaza.usda", "-o", "torn.usda", "--up", "Y"), "an overlay must not replace a file that is none"),
        (("mark", "mug.usdc", "-o", "new.usda", "--asset", "/World/mug=mug"), "an asset must not replace a file that the stage is made of"),
        (("mark", "plaza.usda", "-o", "new.usda", "--context", "/World/plza=surface"), "there is no prim '/World/plza' in the stage"),
        (("mark", "plaza.usda", "-o", "new.usda", "--context", "/World/plaza"), "--context must be PRIM=…"),
        (("mark", "plaza.usda", "-o", "new.usda", "--context", "/World/plaza=lane"), "a strip must be at least twice as long as wide"),
        (("mark", "plaza.usda", "-o", "new.usda", "--meters-per-unit", "0"), "metersPerUnit must be a number of metres"),
        (("mark", "plaza.usda", "-o", "new.usda", "--asset", "/World/lane=mug"), "an asset must show a mesh, and /World/lane holds BasisCurves"),
    ],
)
def test_check_and_mark(refused, tmp_path, args, words):
    held = {name: write_stage(tmp_path / name).read_bytes() for name in ("plaza.usda", "other.usda")}
    (tmp_path / "torn.usda").write_text("no scene")
    mug = Usd.Stage.CreateNew(str(tmp_path / "mug.usdc"))
    mug.DefinePrim("/World/mug", "Cube")
    mug.Save()
    (tmp_path / "b.yaml").write_text("a: 1")
    assert words in refused(*args) and all((tmp_path / name).read_bytes() == text for name, text in held.items())


@pytest.mark.parametrize(
    "text, words",
    [
        (RIG.replace("vlp32c", "vlp32"), "r.yaml:5: sensors.lidar.model: sensor 'vlp32' was not found"),
        (RIG.replace("vlp32c", "s.yaml"), "s.yaml:2: elevation_deg: elevation_deg must be a list, got 5"),
        (RIG.replace("xyz", "xyzz"), "unknown key 'xyzz' (did you mean 'xyz'?)"),
        ("name: r\nsensors: {lidar: {model: {type: radar}, mount: {xyz: [0, 0, 1]}}}\n", "must be one of lidar, camera, got 'radar'"),
        (RIG.replace("  lidar:", '  "../../../evil":'), "r.yaml:5: sensors.../../../evil: name must be up to 100 letters"),
        (RIG.replace("  camera:", '  "":'), "r.yaml:4: sensors.: name must be up to 100 letters"),
    ],
)
def test_rig(budget, tmp_path, text, words):
    (tmp_path / "r.yaml").write_text(text)
    (tmp_path / "s.yaml").write_text("type: lidar\nelevation_deg: 5\ncolumns: 10\n")
    assert words in budget("rig: quickstart_street", "rig: r.yaml")


def test_a_mistake_that_shows_when_a_clip_is_drawn(budget, tmp_path):
    (tmp_path / "mine.yaml").write_text(STREET.replace("radius_m: 2.5", "radius_m: big"))
    assert "radius_m of randomizer camera.rig_pose must be a number" in budget("file: street", "file: mine.yaml", "", "--dry-run")


@pytest.mark.parametrize(
    "options, words",
    [
        (("--backend", "isaac"), "--backend isaac works inside Isaac Sim"),
        (("--backend", "foo"), "--backend: unknown backend 'foo'"),
        (("--device", "gpu"), "--device must be cpu or cuda:N"),
        (("--device", "cuda:99"), "CUDA devices"),
        (("--engine", "foo"), "--engine must be"),
        (("--workers", 0), "--workers"),
        (("--data", "nowhere"), "data folder not found: 'nowhere'"),
        (("--out", QUICKSTART), "must be a folder, got a file"),
        (("--out", ROOT / "configs"), "it holds other files"),
        (("--nope",), "No such option"),
    ],
)
def test_generate_options(refused, options, words):
    assert words in refused("generate", QUICKSTART, *options)


SPLIT = "reference.split={feedback: [learn0]}"


def kitti(root: Path) -> Path:
    for name in ("velodyne", "label_2", "calib", "image_2"):
        (root / "kitti" / name).mkdir(parents=True)
    return root


def mosd(root: Path, depth: bytes) -> Path:
    import cv2

    (root / "rgbd_mosd").mkdir(parents=True)
    for name, image in (("label", np.zeros((480, 640), np.uint8)), ("rgb", np.zeros((480, 640, 3), np.uint8))):
        (root / "rgbd_mosd" / f"learn0_{name}.png").write_bytes(cv2.imencode(".png", image)[1].tobytes())
    (root / "rgbd_mosd/learn0_depth.png").write_bytes(depth)
    return root


@pytest.mark.parametrize(
    "overrides, words",
    [
        (["reference.root=../.."], "--set: reference.root: path must stay inside"),
        (["reference.root=kiti"], "does not exist"),
        ([], "empty"),
    ],
)
def test_reference_folder(refused, tmp_path, overrides, words):
    sets = [part for text in overrides for part in ("--set", text)]
    data = kitti(tmp_path / "data")
    assert words in refused("generate", ROOT / "configs/budgets/kitti_street.yaml", "--data", data, "--out", "out", *sets)


def test_truncated_sweep(refused, tmp_path):
    data = kitti(tmp_path / "data")
    (data / "kitti/velodyne/000000.bin").write_bytes(bytes(1001))
    assert "000000.bin: must hold whole points" in refused("generate", ROOT / "configs/budgets/kitti_street.yaml", "--data", data, "--out", "out")


@pytest.mark.parametrize("depth", [b"", b"not a png"])
def test_image_that_is_none(refused, tmp_path, depth):
    data = mosd(tmp_path / "data", depth)
    said = refused("generate", ROOT / "configs/budgets/mosd_tabletop.yaml", "--data", data, "--out", "out", "--dry-run", "--set", SPLIT)
    assert "learn0_depth.png: is not a readable image" in said


@pytest.mark.parametrize(
    "overrides, words",
    [
        (["reference.split.feedback=[zzz]"], "reference.split.feedback[0]: must name a group or frame"),
        (["reference.split={feedback: [learn0], holdout: [learn0]}"], "must be in one part only"),
        (["reference.split={feedbak: [learn0]}"], "did you mean 'feedback'"),
        (["reference.sensor=kinekt"], "reference.sensor: sensor must be one the reference was recorded with"),
        ([SPLIT, "rig=quickstart_street"], "recorded with kinect_v1, but the rig 'quickstart_street' carries"),
    ],
)
def test_reference_split_and_sensor(refused, tmp_path, overrides, words):
    sets = [part for text in overrides for part in ("--set", text)]
    data = mosd(tmp_path / "data", b"")
    assert words in refused("generate", ROOT / "configs/budgets/mosd_tabletop.yaml", "--data", data, "--out", "out", *sets)


COCO = {"images": [{"id": 1, "file_name": "a"}], "annotations": [], "categories": [{"id": 1, "name": "person"}]}
BOX = {"id": 1, "image_id": 1, "category_id": 1}


@pytest.mark.parametrize(
    "labels, options, words",
    [
        ("{", (), "labels.json:1: is not valid JSON"),
        (json.dumps(COCO), (), "no class with a sample"),
        (json.dumps({**COCO, "annotations": [{**BOX, "bbox": [0, 0, float("nan"), 1]}]}), (), "annotations[0]: bbox must be four numbers"),
        (None, (), "label file not found"),
        ("class,count\nperson,-1\n", (), "count of 'person'"),
        ("class,count\nperson,5\ncone,9\n", ("--target", 10**12), "target must be between"),
        ("class,count\nperson,5\ncone,9\n", ("--classes", "persn"), "did you mean 'person'"),
        ("class,count\nperson,5\ncone,9\n", ("--scenario", "stret"), "scenario 'stret' was not found"),
        ("class,count\nperson,5\ncone,9\n", ("--rig", "kiti"), "did you mean 'kitti'"),
        ("class,count\nperson,5\ncone,9\n", ("--usd", "person"), "--usd must be CLASS=FILE"),
        ("class,count\nperson,5\ncone,9\n", ("--usd", "person=labels.json"), "must open as USD"),
        ("class,count\nperson,5\ncone,9\n", ("--measured", "nowhere"), "status.json"),
        ("class,count\nperson,5\ncone,9\n", ("-o", "."), "got a folder"),
    ],
)
def test_plan(refused, tmp_path, labels, options, words):
    file = tmp_path / ("labels.csv" if labels and labels.startswith("class") else "labels.json")
    (tmp_path / "labels.json").write_text("{")
    if labels is None:
        (tmp_path / "labels.json").unlink()
    else:
        file.write_text(labels)
    assert words in refused("plan", file, *options)


@pytest.mark.parametrize("command", [("status",), ("report",), ("export",), ("explain", "x", "--run"), ("compose", "--real", "x.csv", "--synthetic")])
@pytest.mark.parametrize("ledger", [None, b"", b"garbage" * 99])
def test_what_is_no_run(refused, tmp_path, command, ledger):
    (tmp_path / "run").mkdir()
    if ledger is not None:
        (tmp_path / "run/ledger.sqlite").write_bytes(ledger)
    said = refused(*command, "run")
    assert "is not a run folder" in said or "cannot be read as the ledger of a run" in said


@pytest.mark.parametrize(
    "args, words",
    [
        (("preview", "nope.yaml"), "file not found"),
        (("preview", QUICKSTART, "-o", "a/b.png"), "its folder does not exist"),
        (("preview", QUICKSTART, "-o", "."), "got a folder"),
        (("preview", QUICKSTART, "-n", 0), "-n"),
        (("randomizers", "x"), "unexpected extra argument"),
        (("doctor", "--nope"), "No such option"),
        (("generat",), "No such command"),
        (("calibrate",), "Name a command"),
        (("score", "nowhere", "--reference", "."), "does not exist"),
    ],
)
def test_other_commands(refused, args, words):
    assert words in refused(*args)


def test_second_process_on_the_same_run(refused, tmp_path):
    from filelock import FileLock

    (tmp_path / "out").mkdir()
    with FileLock(tmp_path / "out/.lock"):
        assert "in use by another tailgate process" in refused("generate", QUICKSTART, "--out", "out")


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="needs root to become a user without permission")
def test_no_permission(tmp_path):
    """As nobody, into a folder of root's."""
    tmp_path.chmod(0o755)
    code = (
        "import os, sys, filelock; from pathlib import Path; from tailgate import errors; import tailgate.runtime.folder as f\n"
        "filelock.FileLock; os.setuid(65534)\n"
        f"try:\n    f.hold(Path({str(tmp_path / 'out')!r})).__enter__()\nexcept errors.UserError as e: sys.exit('error: ' + str(e))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "cannot be written: permission denied" in done.stderr and "Traceback" not in done.stderr
