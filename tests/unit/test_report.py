"""The report of a run folder made by hand: a real ledger, real frames, known numbers."""

from __future__ import annotations

import json
import re
from pathlib import Path

import handmade
import numpy as np
import pytest
from tailgate.config.budget import Budget
from tailgate.config.load import dump
from tailgate.config.setting import Setting, to_plain
from tailgate.datasets import store
from tailgate.distributions import Choice, LogRanged, Ranged
from tailgate.errors import UserError
from tailgate.frames import FrameId, Sample
from tailgate.ledger.ledger import Ledger
from tailgate.report import charts
from tailgate.report.html import _speed, render, write_report
from tailgate.report.record import read_run
from tailgate.report.trust import judge

NEAR, FAR = "wheelchair_user · 5-15 m", "wheelchair_user · 15-30 m · dusk"
NOISE = "street/sensor_noise.response/top.range_noise"
SUN, WEATHER, GAIN = "street/lighting.sun_sky/elevation", "street/weather.state/kind", "street/sensor_noise.response/front.gain"
SETTINGS = {
    NOISE: Setting(dist=LogRanged(low=0.005, high=0.1, unit="m"), role="calibrated"),
    SUN: Setting(dist=Ranged(low=5, high=70, unit="deg")),
    WEATHER: Setting(dist=Choice(values=("clear", "rain", "fog"))),
    GAIN: Setting(dist=Ranged(low=0.5, high=2.0), role="nuisance"),
}


def budget(reference: str = "av2", name: str = "rare_wheelchairs") -> Budget:
    cells = [
        {"class": "wheelchair_user", "range": [5, 15], "target": 6, "why": "7 of 7,057 real labels"},
        {"class": "wheelchair_user", "range": [15, 30], "light": "dusk", "target": 8},
        {"class": "traffic_cone", "target": 3},
    ]
    return Budget(name=name, cells=cells, scenarios=[{"file": "street"}], rig="car", reference={"kind": reference}, source="labels.csv")


def row(metric: str, value: float | None, limit: float | None, verdict: str, **more) -> dict:
    null = {"median": 0.5 * limit, "q95": 0.95 * limit, "n": 200} if limit else None
    base = {"metric": metric, "modality": "lidar", "class": "", "stratum": "12-25 m", "value": value, "unit": "m", "n": 900, "limit": limit}
    return {**base, "null": null, "gates": True, "verdict": verdict, "note": "", **more}


def make_run(folder: Path, reference: str = "av2", rounds: int = 3, name: str = "rare_wheelchairs", frames: bool = True) -> Path:
    """Three rounds of four batches of two clips; in each round clip 6 fails and clip 7 is off target, the others are accepted."""
    folder.mkdir(parents=True)
    (folder / "budget.yaml").write_text(dump(budget(reference, name)))
    ledger = Ledger(folder, {"budget": "ab12" * 16, "versions": "tailgate 0.1.0, warp-lang 1.9", "device": "warp on cpu"})
    rng = np.random.default_rng(7)
    flags = {"weak": reference == "av2", "standin": reference == "standin", "unmeasured": reference == "none"}
    parts = {"feedback": ["log_a", "log_b"], "holdout": ["log_c"]}
    with ledger.transaction():
        ledger.set_meta("reference", {"kind": reference, "notes": [], "frames": {"feedback": 120, "holdout": 60}, "groups": parts, **flags})
        for number in range(rounds):
            _round(ledger, number, measured=reference != "none")
            for k in range(8):
                _clip(ledger, folder, (number, k, rng), frames)
        classes = {"wheelchair_user": {"verdict": "accepted", "rows": _class_rows()}, "traffic_cone": {"verdict": "unjudged", "rows": []}}
        ledger.set_meta("outcome", {"met": False, "reason": f"{rounds} rounds", "classes": classes})
    ledger.close()
    return folder


def _class_rows() -> list[dict]:
    more = {"class": "wheelchair_user", "stratum": "5-15 m", "modality": "lidar", "n": 18}
    js = row("js_norm", 0.11, 0.15, "no power", **more, note="18 samples decide nothing") | {"unit": "nats", "gates": False}
    return [row("dogss", 0.83, 0.75, "ok", **more) | {"unit": "1"}, js]


def _round(ledger: Ledger, number: int, measured: bool) -> None:
    fade = 0.6**number
    summary = {
        "feedback": {"range_noise": 0.03 * fade, "hole_rate": 0.08 * fade, "intensity": 0.05},
        "holdout": {"range_noise": 0.034 * fade, "hole_rate": 0.09 * fade, "intensity": 0.05 * 1.2**number},
        "distance_ratio": {"feedback": 1 + 2 * fade, "holdout": 1.2 + 2 * fade},
    }
    units = {"range_noise": "m", "hole_rate": "share", "intensity": "1"}
    size = {"stratum": "12-25 m", "n_real": 9, "n_synthetic": 8}
    rows = [{"statistic": s, "value": v, "unit": units[s], **size} for s, v in summary["feedback"].items()]
    real = {"range_noise": {"between_parts": 0.008}, "hole_rate": {"median": 0.01, "q95": 0.03}}
    card = {"summary": summary, "feedback": rows, "real_vs_real": real}
    change = {
        "address": NOISE,
        "metric": "range_noise",
        "stratum": "all",
        "effect": 0.8,
        "p_value": 0.0004,
        "old": "about 0.022 m",
        "new": "about 0.013 m",
        "words": "range_noise lies 3.1 reference spreads above the reference & moves with range_noise",
    }
    state = {"round": number, "state": "closed", "settings": to_plain(SETTINGS), "allocation": [NEAR, FAR] * 4}
    ledger.insert("rounds", [{**state, "feedback": [change] if measured and number == 0 else [], "scorecard": card if measured else {}}])
    for batch in range(4):
        failed = batch == 3 and number == 0
        rows = [row("range_noise", 0.03 * fade + 0.002 * batch, 0.035, "failed" if failed else "ok", stratum="all")]
        rows.append(row("hole_rate", None, None, "unjudged", stratum="all"))
        rows += [row("range_noise", 0.04 * fade, 0.03, "failed" if fade > 0.8 else "ok", stratum=f"{k}-{k + 1} m", gates=False) for k in range(6)]
        code = ["range_noise"] if failed else []
        head = {"round": number, "number": batch, "first_index": 8 * number + 2 * batch, "count": 2, "verdict": "rejected" if failed else "accepted"}
        ledger.insert("batches", [{**head, "codes": code, "scorecard": rows if measured else []}])


def _clip(ledger: Ledger, folder: Path, at: tuple, with_frames: bool) -> None:
    number, k, rng = at
    index, cell = 8 * number + k, NEAR if k % 2 == 0 else FAR
    state = {6: "failed", 7: "off_target"}.get(k, "accepted")
    name = FrameId("street", number, index)
    draws = {NOISE: float(0.005 * 20 ** rng.random()), SUN: float(5 + 65 * rng.random()), WEATHER: ("clear", "rain")[index % 2]}
    draws |= {f"{GAIN}@{slot}": 1.0 for slot in range(2)}
    sample = Sample(name, cell, draws, conditions=handmade.conditions(index)).to_json()
    codes = {"failed": ["empty_frame"], "off_target": ["off_target_occlusion"]}.get(state, [])
    result = {"index": index, "codes": codes if state == "off_target" else [], "frames": [{"codes": codes}] if state == "failed" else []}
    result["seconds"] = {"render": 0.3, "sensors": 0.05, "validate": 0.04, "randomize": 0.02, "write": 0.01}
    clip = {"clip_index": index, "round": number, "batch": k // 2, "scenario": "street", "cell": cell, "attempts": 1}
    ledger.insert("clips", [{**clip, "state": state, "result": result}])
    place = {"accepted": "frames", "failed": "rejected"}.get(state)
    if with_frames and place and index < 8:
        store.save(handmade.frame(index, round=number), folder / place / str(name))
    head = {"id": str(name), "clip_index": index, "attempt": 0, "tick": 0, "verdict": "ok" if state == "accepted" else state}
    more = {"scores": {"range_noise": float(rng.normal(1, 0.5))}, "sample": sample, "path": f"frames/{name}" if place else "", "counted": 1}
    ledger.insert("frames", [{**head, "codes": codes, "digest": "", **more}])
    seen = {"range": 9.0, "occluded": 0.1, "truncated": 0.0, "visible": 900, "alone": 1000, "lidar_hits": 40, "counted": 1}
    head = {"frame": str(name), "instance": 1, "class": "wheelchair_user", "cell": cell}
    ledger.insert("objects", [{**head, "scores": {"chamfer": 0.1 + 0.01 * k}, **seen}])


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    return make_run(tmp_path_factory.mktemp("runs") / "run")


@pytest.fixture(scope="module")
def page(run) -> str:
    return write_report(run, run / "report.html").read_text(encoding="utf-8")


def visible(page: str) -> str:
    """Text of a page without styles, pictures and tags."""
    bare = re.sub(r"<style.*?</style>|<[^>]*>", " ", page, flags=re.S)
    return re.sub(r"\s+", " ", bare)


def test_counts_are_those_of_the_ledger(run):
    record = read_run(run)
    assert [(c.name, c.target, c.achieved) for c in record.cells] == [(NEAR, 6, 9), (FAR, 8, 9), ("traffic_cone", 3, 0)]
    assert (record.delivered, record.target) == (14, 17)
    assert record.clip_states == {"accepted": 18, "failed": 3, "off_target": 3}
    assert record.clip_codes == {"empty_frame": 3, "off_target_occlusion": 3}
    assert record.object_scores["wheelchair_user"]["chamfer"][:3] == pytest.approx((0.1, 0.11, 0.12))
    assert record.batch_codes == {"range_noise": 1}
    assert record.seconds == pytest.approx({"render": 7.2, "sensors": 1.2, "validate": 0.96, "randomize": 0.48, "write": 0.24})
    assert [r.holdout["intensity"] for r in record.rounds] == pytest.approx([0.05, 0.06, 0.072])


def test_coverage_merges_slots_and_separates_data_from_draws(run):
    found = {c.address: c for c in read_run(run).coverage}
    assert set(found) == set(SETTINGS)
    assert sum(found[NOISE].drawn) == 24 and sum(found[NOISE].kept) == 18
    assert sum(found[GAIN].drawn) == 48
    assert found[WEATHER].labels == ("clear", "rain", "fog") and found[WEATHER].drawn == (12, 12, 0)
    assert found[WEATHER].covered == pytest.approx(2 / 3)
    assert found[NOISE].labels[0] == "0.005" and found[NOISE].labels[10] == "0.0224"


def test_page_is_self_contained_and_small(page):
    assert not re.search(r"""(src|href)\s*=\s*["'](?!data:)""", page)
    assert not re.search(r"https?://|<script|@import|url\(", page)
    assert len(page.encode()) < 6_000_000
    assert page.count('<img src="data:image/') >= 15


def test_page_tells_the_story(page):
    text = visible(page)
    for words in ("14 / 17", "Weak hold-out", "The gate only reported", "Stopped before the budget was met", "not measured"):
        assert words in text, words
    assert "the object was hidden more or less than the cell asks for" in text
    assert "about 0.022 m" in text and "about 0.013 m" in text and "p = 0.0004" in text
    assert "reference &amp; moves" in text
    assert "Better on paper only" not in text, "intensity worsens on the hold-out but does not improve on feedback"


def test_wall_time_is_that_of_all_sessions(tmp_path):
    folder = make_run(tmp_path / "run", rounds=1, frames=False)
    (folder / "status.json").write_text(json.dumps({"elapsed_s": 7200.0}))
    assert ("wall time of the run", "7,200 s") in _speed(read_run(folder))


def test_unmeasured_run_claims_nothing(tmp_path):
    record = read_run(make_run(tmp_path / "run", reference="none", rounds=1, frames=False))
    assert judge(record).word == "unmeasured"
    text = visible(render(record))
    assert "Unmeasured" in text and "no round was scored" in text and "No frames were kept" in text
    assert "Distance to real not measured" in text


def test_standin_is_announced(tmp_path):
    record = read_run(make_run(tmp_path / "run", reference="standin", rounds=1, frames=False))
    assert "The reference is a stand-in" in [n.title for n in judge(record).notices]
    assert judge(record).word == "partly measured"


def test_text_from_the_run_is_escaped(tmp_path):
    folder = make_run(tmp_path / "run", rounds=1, frames=False)
    evil = '<img src=x onerror="alert(1)">'
    (folder / "budget.yaml").write_text((folder / "budget.yaml").read_text().replace("7 of 7,057 real labels", evil.replace('"', "'")))
    ledger = Ledger(folder, {"budget": "ab12" * 16, "versions": "tailgate 0.1.0, warp-lang 1.9", "device": "warp on cpu"})
    with ledger.transaction():
        ledger.update("frames", {"clip_index": 0}, scores={evil: 1.0})
        ledger.update("frames", {"clip_index": 1}, scores={evil: 2.0})
        ledger.update("frames", {"clip_index": 2}, scores={evil: 3.0})
    ledger.close()
    page = render(read_run(folder))
    assert "<img src=x" not in page and "&lt;img src=x" in page


def test_run_that_has_just_begun(tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "budget.yaml").write_text(dump(budget()))
    Ledger(folder, {}).close()
    text = visible(render(read_run(folder)))
    assert "0 / 17" in text and "The run has not ended" in text and "No draws were recorded" in text


def test_not_a_run_folder(tmp_path):
    with pytest.raises(UserError, match="is not a run folder"):
        write_report(tmp_path, tmp_path / "report.html")


def test_same_run_gives_the_same_page(run, page):
    assert render(read_run(run)) == page


def test_histogram_counts_every_value():
    heights = [float(h) for h in re.findall(r'height="([\d.]+)" rx', charts.histogram([0.0] * 10 + [1.0] * 20, bins=2))]
    assert heights == [28.0, 56.0]


def test_progress_marks_the_target():
    assert f'fill="{charts.GREEN}"' in charts.progress(5, 5)
    assert f'fill="{charts.ORANGE}"' in charts.progress(4, 5)
    assert 'width="130.0"' in charts.progress(1, 2, width=260)
