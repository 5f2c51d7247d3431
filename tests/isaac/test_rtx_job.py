"""The main job inside Isaac Sim: the same samples, labels, boxes and plan as with the embedded renderer, in both releases."""

import asyncio
import json
import sqlite3
from pathlib import Path

import pytest
from checkout import ROOT
from rtx_kit import drive
from small_street import small_budget, small_rig, small_scenario, write_street
from standin import standin
from tailgate.config.load import dump
from tailgate.errors import UserError
from tailgate.runtime.control import Control
from tailgate.runtime.run import Crew, generate
from tailgate.runtime.spec import RunOptions

FORMATS = ["basicwriter"]


def write_job(folder: Path) -> Path:
    """A budget of two clips on the small street, with its scenario and rig beside it."""
    base = write_street(folder / "street.usda")
    limits = {"rounds": 1, "batch_clips": 2, "batches_per_round": 1}
    named = {"scenarios": [{"file": "scenario.yaml"}], "rig": "rig.yaml"}
    budget = small_budget(limits=limits, reference={"kind": "none"}, output={"formats": FORMATS}, **named)
    (folder / "budget.yaml").write_text(dump(budget))
    (folder / "scenario.yaml").write_text(dump(small_scenario(Path(base.name))))
    sensors = {name: {"model": s.model.model_dump(mode="json"), "mount": MOUNTS[name]} for name, s in small_rig().sensors.items()}
    (folder / "rig.yaml").write_text(json.dumps({"name": "small", "sensors": sensors}))
    return folder / "budget.yaml"


MOUNTS = {"camera": {"xyz": [1.0, 0, 1.6]}, "lidar": {"xyz": [0, 0, 1.8]}}


def rows(out: Path) -> dict[str, list[dict]]:
    """What the ledger says of clips, frames and objects, but for the colours and what took how long."""
    held = sqlite3.connect(out / "ledger.sqlite")
    held.row_factory = sqlite3.Row
    tables = {name: [dict(row) for row in held.execute(f"select * from {name}")] for name in ("clips", "frames", "objects", "batches")}
    for row in tables["clips"]:
        result = json.loads(row.pop("result"))
        row["frames"] = [{k: v for k, v in frame.items() if k not in ("digest", "hints")} for frame in result["frames"]]
    for row in tables["frames"]:
        row.pop("digest")
    return tables


@pytest.fixture(scope="module")
def budget(tmp_path_factory) -> Path:
    return write_job(tmp_path_factory.mktemp("job"))


@pytest.fixture(scope="module")
def embedded(budget) -> tuple[Path, dict]:
    """The run with the embedded renderer: its folder and summary."""
    out = budget.parent / "warp"
    return out, asyncio.run(generate(RunOptions(budget, out), lambda event: None, Crew()))


@pytest.fixture
def isaac(request):
    """An Isaac Sim of a release with the extension enabled; 6.0 by default."""
    with standin(getattr(request, "param", "6.0")) as sim:
        from tailgate_rtx.extension import RtxExtension

        extension = RtxExtension()
        extension.on_startup("tailgate.rtx")
        yield sim
        extension.on_shutdown()


def run(sim, budget: Path, out: Path, control: Control | None = None, **more):
    events = []
    done = drive(sim, generate(RunOptions(budget, out, backend="isaac", **more), events.append, Crew(control=control)))
    return done, events


RELEASES = pytest.mark.parametrize("isaac", ["5.1", "6.0"], indirect=True)


@RELEASES
def test_the_same_run(isaac, budget, embedded):
    """Samples, labels, boxes, verdicts and plan are equal; the datasets are there; the stage is clean afterwards."""
    out, want = embedded
    got, _ = run(isaac, budget, budget.parent / f"isaac-{isaac.flavour}")
    assert got.plan_hash == want.plan_hash and rows(Path(got.out)) == rows(out)
    assert got.content_hash != want.content_hash
    assert set(got.datasets) == {*FORMATS, "manifest"} and Path(got.report).is_file() and Path(got.sheet).is_file()
    assert not isaac.stage.GetSessionLayer().subLayerPaths and not isaac.stage.GetPrimAtPath("/Tailgate")


def test_the_open_stage(isaac, budget, embedded, tmp_path):
    """``base: @open`` runs on the stage that the user has open, which is not touched; another stage cannot resume the run."""
    from pxr import Usd

    stage = Usd.Stage.Open(str(write_street(tmp_path / "street.usda")))
    isaac.use_stage(stage)
    text, target = stage.GetRootLayer().ExportToString(), stage.GetEditTarget()
    got, _ = run(isaac, budget, tmp_path / "run", base="@open")
    assert got.plan_hash == embedded[1].plan_hash
    assert (stage.GetRootLayer().ExportToString(), stage.GetEditTarget(), isaac.stage) == (text, target, stage)
    again, events = run(isaac, budget, tmp_path / "run", base="@open")
    assert again.plan_hash == got.plan_hash and not [e for e in events if e.kind == "clip"]
    stage.GetPrimAtPath("/World/brick_wall").SetActive(False)
    with pytest.raises(UserError, match="open stage"):
        run(isaac, budget, tmp_path / "run", base="@open")


def test_paused_edited_and_stopped(isaac, budget, embedded, tmp_path):
    """A user who moves things while clips are taken, pauses and stops: the resumed run is the one that was never disturbed."""
    control, clips = Control(), []

    def listen(event):
        if event.kind == "clip":
            clips.append(event)

    task = isaac.loop.create_task(generate(RunOptions(budget, tmp_path / "run", backend="isaac"), listen, Crew(control=control)))
    edits = 0
    while not clips:
        isaac.update(1)
        prim = isaac.stage.GetPrimAtPath("/World/Contexts/bench") if isaac.stage else None
        if prim and isaac.stage.GetPrimAtPath("/Tailgate/Rig/camera") and edits < 3:
            edits += 1
            prim.GetAttribute("tailgate:context").SetDocumentation(f"edited {edits}")
    control.pause()
    isaac.update(20)
    control.resume()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        drive(isaac, wait(task))
    assert edits == 3 and not isaac.stage.GetPrimAtPath("/Tailgate/Rig/camera")
    isaac.stage.GetRootLayer().Reload(force=True)
    got, _ = run(isaac, budget, tmp_path / "run")
    assert got.plan_hash == embedded[1].plan_hash


async def wait(task):
    return await task


def test_mistakes_are_said_before_anything_is_written(isaac, budget, tmp_path):
    rig = json.loads((budget.parent / "rig.yaml").read_text())
    rig["sensors"]["camera"]["model"]["shutter"] = {"exposure_ms": 8.0}
    (budget.parent / "rolling.yaml").write_text(json.dumps(rig))
    with pytest.raises(UserError, match="rig small: sensors.camera: shutter must be left out"):
        run(isaac, budget, tmp_path / "run", overrides=("rig=rolling.yaml",))
    with pytest.raises(UserError, match="--device"):
        run(isaac, budget, tmp_path / "run", device="gpu")
    assert not (tmp_path / "run").exists()


@pytest.fixture(scope="module")
def quickstart(tmp_path_factory):
    """Options and summary of the shipped quickstart, small, with the embedded renderer: two rounds through every stage."""
    small = ("limits.rounds=2", "limits.batch_clips=2", "limits.batches_per_round=1", "reference.options.frames=2", "gate.mode=report")
    options = RunOptions(ROOT / "configs/budgets/quickstart.yaml", tmp_path_factory.mktemp("quickstart") / "warp", overrides=small)
    return options, asyncio.run(generate(options, lambda event: None, Crew()))


@pytest.mark.slow
@RELEASES
def test_the_quickstart(isaac, quickstart, tmp_path):
    options, want = quickstart
    got, _ = run(isaac, options.budget, tmp_path / "isaac", overrides=options.overrides)
    assert got.plan_hash == want.plan_hash and rows(Path(got.out)) == rows(Path(want.out))
