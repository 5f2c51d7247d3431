"""Exports of a run: what the final gate refuses stays out, formats agree with the manifest, and nothing is removed that no export made."""

import json
from types import SimpleNamespace

import pytest
from frames_fixture import make_frame
from tailgate.config.budget import Budget
from tailgate.config.load import load
from tailgate.config.rig import configs_root
from tailgate.datasets import store
from tailgate.datasets.manifest import read_manifest
from tailgate.ledger.ledger import Ledger
from tailgate.runtime import export
from tailgate.runtime.export import export_run

CLASSES = ("cone", "person")


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Two accepted frames, of a cone and of a person, in a run that enforces its gate; ``add`` gives it one more."""
    budget = load(Budget, configs_root() / "budgets" / "quickstart.yaml")
    budget = budget.model_copy(update={"gate": budget.gate.model_copy(update={"mode": "enforce"})})
    monkeypatch.setattr(export, "open_spec", lambda _: SimpleNamespace(budget=budget, rig=None))
    ledger = Ledger(tmp_path, {})

    def add(index, name):
        frame = make_frame(index)
        store.save(frame, tmp_path / "frames" / str(frame.id))
        clip = {"clip_index": index, "round": 0, "batch": 0, "scenario": "street", "cell": name, "attempts": 1, "state": "accepted"}
        row = {"id": str(frame.id), "clip_index": index, "attempt": 0, "tick": 0, "verdict": "ok", "codes": [], "digest": store.digest(frame)}
        seen = {"range": 9.0, "occluded": 0.0, "truncated": 0.0, "visible": 400, "alone": 400, "lidar_hits": 50, "counted": 1, "scores": {}}
        with ledger.transaction():
            ledger.insert("clips", [{**clip, "result": {"frames": [{"id": str(frame.id), "annotations": {}}]}}])
            ledger.insert("frames", [{**row, "scores": {}, "sample": {"draws": {}}, "path": f"frames/{frame.id}", "counted": 1}])
            ledger.insert("objects", [{"frame": str(frame.id), "instance": 1, "class": name, "cell": name, **seen}])

    def judge(**verdicts):
        with ledger.transaction():
            ledger.set_meta("outcome", {"met": True, "reason": "", "classes": {n: {"verdict": v, "rows": []} for n, v in verdicts.items()}})

    for index, name in enumerate(CLASSES):
        add(index, name)
    return SimpleNamespace(folder=tmp_path, add=add, judge=judge)


def rows(run):
    return read_manifest(run.folder / "dataset" / "manifest.parquet")


def test_frames_of_refused_classes_stay_out_of_any_export(run):
    run.judge(cone="quarantined", person="accepted")
    export_run(run.folder, ("coco",))
    assert [list(row.counted) for row in rows(run)] == [["person"]]
    assert len(json.loads((run.folder / "dataset/coco/annotations.json").read_text())["images"]) == 1


def test_where_all_is_refused_an_earlier_dataset_goes_and_nothing_else(run):
    export_run(run.folder, ("coco", "kitti"))
    (run.folder / "dataset/kitti/summary.json").unlink()
    run.judge(cone="quarantined", person="quarantined")
    folders, (note,) = export_run(run.folder)
    assert folders == {} and "refuses cone, person" in note and note.endswith("what was exported before is removed.")
    assert [p.name for p in (run.folder / "dataset").iterdir()] == ["kitti"]


def test_another_format_joins_those_that_hold_the_same_frames(run):
    export_run(run.folder, ("coco",))
    before = (run.folder / "dataset/coco/summary.json").stat().st_mtime_ns
    folders, notes = export_run(run.folder, ("kitti",))
    assert set(folders) == {"kitti", "manifest"} and notes == []
    assert (run.folder / "dataset/coco/summary.json").stat().st_mtime_ns == before
    for row in rows(run):
        assert set(row.files) == {"coco", "kitti"}
        assert all((run.folder / "dataset" / file).is_file() for files in row.files.values() for file in files)


def test_a_format_that_holds_other_frames_is_written_again(run):
    export_run(run.folder, ("coco",))
    run.add(2, "person")
    folders, notes = export_run(run.folder, ("kitti",))
    assert set(folders) == {"coco", "kitti", "manifest"} and notes == ["Dataset format coco was written again too: it held other frames."]
    assert [set(row.files) for row in rows(run)] == [{"coco", "kitti"}] * 3
    assert len(json.loads((run.folder / "dataset/coco/annotations.json").read_text())["images"]) == 3
