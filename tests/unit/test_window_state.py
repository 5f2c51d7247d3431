"""What the window shows of a run, folded from runtime events."""

from dataclasses import replace

import pytest
from tailgate.errors import UserError
from tailgate.runtime.events import Event
from tailgate.validate.scorecard import Null, Row
from tailgate_ui.choices import Choices, local_path
from tailgate_ui.state import KEPT_NOTES, Run, amount, clock, fold, going, held

CELLS = {"cone · 4-25 m": 4, "person · dusk": 2}


def started() -> Run:
    return fold(Run("starting"), Event("started", {"name": "small", "out": "/runs/small", "cells": CELLS}), 0.0)


def standing(achieved: dict, states: dict) -> dict:
    return {"achieved": achieved, "states": states}


def batch(rows=(), codes=(), verdict="accepted", **stands) -> Event:
    stands = stands or standing({"cone · 4-25 m": 2}, {"cone · 4-25 m": {"accepted": 1, "off_target": 2}})
    data = {"round": 0, "batch": 1, "verdict": verdict, "codes": list(codes), "rows": [r.to_json() for r in rows], "clips": [], **stands}
    return Event("batch", data)


def test_cells_follow_rounds_and_batches():
    run = started()
    assert (run.phase, run.active, run.target, run.achieved) == ("running", True, 6, 0)
    run = fold(run, Event("round_started", {"round": 0, "batches": 2, "clips": 8, **standing({}, {})}), 10.0)
    run = fold(fold(run, Event("clip", {}), 11.0), Event("clip", {}), 12.0)
    assert (run.round, run.clips, run.planned) == (0, 2, 8)
    cone, person = fold(run, batch(), 20.0).cells
    assert (cone.achieved, cone.share, cone.lost) == (2, 0.5, "2 off target") and (person.achieved, person.lost) == (0, "")


def test_a_resumed_run_shows_what_was_there_and_rates_only_what_it_adds():
    there = standing({"cone · 4-25 m": 3}, {"cone · 4-25 m": {"accepted": 3}})
    run = fold(started(), Event("round_started", {"round": 2, "batches": 1, "clips": 4, **there}), 0.0)
    assert run.achieved == 3 and run.pace(100.0).clips is None
    run = fold(run, Event("clip", {}), 100.0)
    pace = run.pace(100.0)
    assert pace.clips == pytest.approx(36.0) and pace.instances == 0 and pace.left_s is None
    pace = fold(run, batch(**standing({"cone · 4-25 m": 9, "person · dusk": 1}, {})), 100.0).pace(100.0)
    assert pace.instances == pytest.approx(72.0) and pace.left_s == pytest.approx(50.0)


def test_pauses_and_other_work_do_not_count_as_making():
    run = fold(started(), Event("round_started", {"round": 0, "batches": 1, "clips": 4, **standing({}, {})}), 0.0)
    run = held(fold(run, Event("clip", {}), 10.0), 10.0)
    assert held(run, 500.0) == run and run.pace(1000.0).clips == pytest.approx(360.0)
    run = going(run, 1000.0)
    assert going(run, 1005.0) == run and run.pace(1010.0).clips == pytest.approx(180.0)
    run = fold(run, Event("busy", {"text": "deciding"}), 1010.0)
    assert run.busy == "deciding" and run.pace(9999.0).clips == pytest.approx(180.0)


def test_the_card_shows_what_failed_first_and_why():
    null = Null(0.01, 0.02, 400)
    rows = [
        Row("range_noise", 0.003, "m", "lidar", limit=0.005, null=null, gates=True, verdict="ok", note="joint limit"),
        Row("range_noise", 0.002, "m", "lidar", stratum="6-12 m", limit=0.001, verdict="failed"),
        Row("range_noise", 0.001, "m", "lidar", stratum="1-6 m", limit=0.002, verdict="ok"),
        Row("range_noise", None, "m", "lidar", stratum="50-120 m"),
        Row("joint", 9.0, "1", "lidar", limit=4.0, verdict="ok", note="largest"),
        Row("hole_rate", 0.2, "rad", "lidar", limit=0.1, gates=True, verdict="failed"),
        Row("run_length", None, "cells", "lidar", note="too little real data"),
    ]
    card = fold(started(), batch(rows, ["hole_rate"], "rejected"), 0.0).card
    lines = [line for line, _ in card.lines]
    assert [(line.metric, line.verdict) for line in lines] == [
        ("lost LiDAR returns", "failed"),
        ("LiDAR range noise", "ok"),
        ("all statistics together", "beyond"),
        ("length of LiDAR gaps", "unjudged"),
    ]
    assert lines[0].share == 2.0 and lines[0].reason == "LiDAR beams get lost at another rate than the real sensor's"
    assert (lines[1].value, lines[1].limit) == ("3 mm", "5 mm")
    assert [(part.stratum, part.verdict) for part in card.lines[1][1]] == [("6-12 m", "beyond"), ("1-6 m", "ok")]
    assert card.title == "round 0, batch 1" and card.words == "1 of 2 measures that decide lie beyond what real recordings show against each other"


def test_a_batch_that_nothing_judged_says_so():
    card = fold(started(), batch([Row("reference", None, note="unmeasured: no reference")]), 0.0).card
    assert card.words == "unmeasured: no reference"
    assert fold(started(), batch(), 0.0).card.words == "nothing could be judged"


def test_rounds_keep_ratio_and_changes():
    change = {"address": "street/sensor_noise.response/lidar.drop", "old": "a", "new": "b", "words": "because"}
    summary = {"distance_ratio": {"feedback": 5.4, "holdout": 4.4}}
    event = Event("round_closed", {"round": 0, "summary": summary, "ratio_error": {"feedback": 0.8}, "changes": [change]})
    (closed,) = fold(started(), event, 0.0).rounds
    assert (closed.number, closed.ratio["holdout"], closed.error.get("holdout"), closed.changes[0]["words"]) == (0, 4.4, None, "because")
    assert [closed.nearness(part) for part in ("feedback", "holdout", "audit")] == ["5.40 ± 0.80", "4.40", ""]
    empty = Event("round_closed", {"round": 1, "summary": {}, "ratio_error": {}, "changes": []})
    assert fold(started(), empty, 0.0).rounds[0].ratio == {}


def test_notes_are_kept_once_and_unknown_events_change_nothing():
    run = started()
    for text in ["a", "b", "a", *map(str, range(KEPT_NOTES - 1))]:
        run = fold(run, Event("note", {"text": text}), 0.0)
    assert run.notes == ("a", *map(str, range(KEPT_NOTES - 1)))
    assert fold(run, Event("exported", {"datasets": {}}), 0.0) is run and fold(run, Event("news"), 0.0) is run


@pytest.mark.parametrize(
    ("value", "unit", "words"),
    [(0.0042, "m", "4.2 mm"), (0.5, "m", "0.5 m"), (0.12345, "1", "0.123"), (0.3, "rad", "0.3 rad"), (None, "m", ""), (0.2, "share", "0.2")],
)
def test_amounts(value, unit, words):
    assert amount(value, unit) == words


@pytest.mark.parametrize(("seconds", "words"), [(None, ""), (40, "40 s"), (600, "10 min"), (7500, "2 h 05 min")])
def test_durations(seconds, words):
    assert clock(seconds) == words


def test_choices_become_run_options():
    chosen = Choices("/data/budgets/tail.yaml", overrides="limits.rounds=1 'gate.mode=report'")
    options = chosen.options()
    assert str(options.out) == "/data/budgets/runs/tail" and options.base == "@open" and options.data is None
    assert options.overrides == ("limits.rounds=1", "gate.mode=report")
    own = replace(chosen, base="", out="/runs/x", data="/real").options()
    assert (str(own.out), own.base, str(own.data)) == ("/runs/x", "", "/real")
    with pytest.raises(UserError, match="choose a budget file first"):
        Choices().options()
    with pytest.raises(UserError, match="Overrides: must be path=value pairs"):
        replace(chosen, overrides="'a=b").options()


def test_paths_of_the_file_dialog():
    assert local_path("/data/budgets/", "tail.yaml") == "/data/budgets/tail.yaml"
    assert local_path("file:///data/budgets") == "/data/budgets"
    assert local_path("/") == "/"
    with pytest.raises(UserError, match="this machine, got omniverse://"):
        local_path("omniverse://server/x", "tail.yaml")
