"""Frames in weather that the reference does not show are data that nobody judges, and every output says so."""

from dataclasses import replace
from types import SimpleNamespace

import handmade
import pytest
from tailgate.config.budget import Budget, Reference
from tailgate.ledger.ledger import Ledger
from tailgate.runtime.final import unjudged
from tailgate.runtime.judge import Judge
from tailgate.runtime.reference import ReferenceData
from tailgate.validate.backbones import open_backbone
from tailgate.validate.evidence import Evidence, measure


def evidence(index: int, weather: str) -> Evidence:
    frame = handmade.frame(index, sensors=("top",))
    return measure(replace(frame, conditions={"weather": weather} if weather else {}), f"frame-{index}", f"clip-{index}")


@pytest.fixture(scope="module")
def real():
    return {f"drive-{i}": [evidence(i, "clear")] for i in range(4)}


@pytest.fixture
def judge(tmp_path, real):
    (tmp_path / "evidence").mkdir()
    budget = Budget(name="x", seed=1, cells=[{"class": "cone", "target": 1}], scenarios=[{"file": "street"}], reference={"kind": "kitti"}, rig="x")
    spec = SimpleNamespace(out=tmp_path, budget=budget, backbone=lambda: open_backbone("geometric"))
    return Judge(spec, ReferenceData("kitti", {"feedback": real, "holdout": {}}, weather=frozenset({"clear"})))


def batch(judge, *weathers):
    """The verdict on one frame in each of these weathers."""
    frames = []
    for i, weather in enumerate(weathers):
        evidence(10 + i, weather).save(judge.spec.out / "evidence" / f"clip-{i}.npz")
        frames.append({"id": f"clip-{i}", "codes": []})
    return judge.batch([{"frames": frames}])


def notes(verdict) -> list[str]:
    return [r.note for r in verdict.rows if r.metric == "reference"]


def test_evidence_keeps_the_weather(tmp_path):
    evidence(0, "fog").save(tmp_path / "a.npz")
    assert Evidence.load(tmp_path / "a.npz").weather == "fog" and evidence(0, "").weather == ""


def test_frames_in_other_weather_are_set_aside(judge):
    verdict = batch(judge, "clear", "fog", "snow", "clear")
    assert set(verdict.scores) == {"clip-0", "clip-3"}
    assert notes(verdict) == ["2 of 4 frames unjudged: the reference shows no fog and no snow"]
    counted = sum(r.n for r in batch(judge, "clear", "clear").rows if r.metric == "hole_rate" and r.n)
    assert counted == sum(r.n for r in batch(judge, "clear", "clear", "fog").rows if r.metric == "hole_rate" and r.n) > 0


def test_a_batch_in_other_weather_alone_is_neither_refused_nor_passed_silently(judge):
    verdict = batch(judge, "fog", "fog")
    assert verdict.verdict == "accepted" and not verdict.scores
    assert notes(verdict) == ["2 of 2 frames unjudged: the reference shows no fog"]


def test_without_word_of_the_weather_all_frames_are_judged(judge):
    assert set(batch(judge, "", "clear").scores) == {"clip-0", "clip-1"}
    judge.reference.weather = frozenset()
    verdict = batch(judge, "fog", "clear")
    assert set(verdict.scores) == {"clip-0", "clip-1"} and not notes(verdict)


def test_a_round_leaves_them_out(judge):
    batch(judge, "clear", "fog", "clear")
    rows = [{"id": f"clip-{i}", "verdict": "ok"} for i in range(3)]
    assert judge.round(rows) == judge.round([rows[0], rows[2]])
    assert judge.round(rows[1:2]) == {}


def test_accepted_frames_that_nobody_judged_are_counted(judge, tmp_path):
    ledger = Ledger(tmp_path, {})
    for i, weather in enumerate(("fog", "clear", "fog")):
        clip = {"clip_index": i, "round": 0, "batch": 0, "scenario": "s", "cell": "c", "attempts": 1, "state": "accepted", "result": {}}
        ledger.insert("clips", [clip])
        sample = {"conditions": {"weather": weather}}
        row = {"id": f"clip-{i}", "clip_index": i, "attempt": 0, "tick": 0, "verdict": "ok", "codes": [], "digest": "", "scores": {}}
        ledger.insert("frames", [{**row, "path": "", "counted": 1, "sample": sample}])
    assert unjudged(ledger, judge) == ["2 of 3 accepted frames were not judged: the reference shows no fog."]
    judge.reference.weather = frozenset()
    assert unjudged(ledger, judge) == []


def test_a_stand_in_has_no_weather_of_its_own():
    with pytest.raises(ValueError, match="holds no recordings: it has neither a split nor a sensor nor weather of its own"):
        Reference(kind="standin", weather=["clear"])
