"""Plans: what is said aloud, cells that add up, priors with analytic answers, budgets that read back."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from tailgate.assets import AssetSpec
from tailgate.config.budget import Budget
from tailgate.config.load import load
from tailgate.datasets.labels.table import LabelRow, Origin, table_of
from tailgate.errors import UserError
from tailgate.plan import PlanOptions, make_budget, plan, print_plan, print_survey, survey
from tailgate.plan.cells import Split, apportion, make_cells, visible_range
from tailgate.plan.ontology import home, map_classes
from tailgate.plan.priors import measure_priors, unwrapped
from tailgate.plan.rate import rate_of
from tailgate.plan.tail import percentile_to_include, select

BRIEF = {"cargo_pallet": 12, "wheelchair_user": 45, "cyclist": 150, "vehicle": 1800, "pedestrian": 2000}


def _spec(table_top=False, synonyms=()):
    return AssetSpec("", (1.0, 1.0, 1.0), lambda draw: [], synonyms, table_top)


def _table(tracks=8, frames=40, fmt="av2", source="x/annotations.npz"):
    """Every frame holds one stroller; its range is 5..24.5 m, its heading 0 or 180 degrees, by turns of its track."""
    rows = []
    for f in range(frames):
        angle = 0.0 if f % 2 else np.pi
        rows.append(LabelRow("STROLLER", f"{f}", centre=(5 + 0.5 * f, 0, 0), size=(1.0, 0.5, 1.0), yaw=angle, track=f"t{f % tracks}"))
        rows += [LabelRow("PEDESTRIAN", f"{f}", centre=(8.0, i, 0), size=(0.5, 0.5, 1.7), yaw=0.0, track=f"p{i}") for i in range(3 if f % 4 else 5)]
    return table_of(rows, Origin(Path(source), fmt, ("DOG",)))


def test_the_class_just_above_is_said_with_both_flags():
    said = select(BRIEF, 500).said
    assert select(BRIEF, 500).chosen == ["cargo_pallet"]
    assert "wheelchair_user (45 of 4,007) lies just above the threshold 38.4" in said[0]
    assert "--classes tail,wheelchair_user or --percentile 25 includes it" in said[0]
    assert percentile_to_include(BRIEF, "wheelchair_user") == 25
    assert select(BRIEF, 500, 25).chosen == select(BRIEF, 500, classes=("tail", "wheelchair_user")).chosen == ["cargo_pallet", "wheelchair_user"]
    assert "1 more class is below the target 500" in said[1]


def test_zero_ties_and_enough_are_said():
    assert "Dog; --include-zero adds it" in select({"Dog": 0, **BRIEF}, 500).said[0]
    assert select({"Dog": 0, **BRIEF}, 500, include_zero=True).chosen[0] == "Dog"
    ties = select({"a": 5, "b": 5}, 500)
    assert ties.chosen == ["a", "b"] and "all 2 classes have at most 5 samples" in ties.said[0] and "--classes" in ties.said[0]
    assert "only one class" in select({"a": 5}, 500).said[0]
    assert "a has 700 samples, the target is 500: nothing to make" in select({"a": 700, "b": 900}, 500).said
    with pytest.raises(UserError, match="did you mean 'cyclist'"):
        select(BRIEF, 500, classes=("cyclists",))


def test_apportion_is_exact():
    assert apportion(10, np.array([1, 1, 1])) == [4, 3, 3] and apportion(7, np.array([0.9, 0.1])) == [6, 1]
    assert sum(apportion(9_999, np.random.default_rng(0).random(17))) == 9_999


def test_bands_are_quantiles_of_the_labels():
    cells, said = make_cells(_table(), {"STROLLER": 100}, {"STROLLER": "STROLLER"}, Split(bands=2))
    assert [c.range for c in cells] == [(5.0, 15.0), (15.0, 25.0)] and [c.target for c in cells] == [50, 50] and not said
    cells, _ = make_cells(_table(), {"STROLLER": 100}, {"STROLLER": "STROLLER"}, Split(bands=2, occlusion=True))
    assert len(cells) == 6 and sum(c.target for c in cells) == 100 and len({c.name for c in cells}) == 6


def test_few_objects_do_not_decide_where_things_stand():
    cells, said = make_cells(_table(tracks=2), {"STROLLER": 90}, {"STROLLER": "STROLLER"}, Split())
    assert cells[0].range[0] == 5 and cells[-1].range[1] == 60 and "2 different objects" in said[0]
    result = make_budget(_table(tracks=2), PlanOptions(Path("x"), classes=("STROLLER",)))
    assert result.budget.priors["STROLLER"].range is None and result.budget.priors["STROLLER"].length


def test_boxes_too_far_to_count_get_no_cell():
    assert visible_range(0.5, 0.5, Split(focal_px=600, ray_deg2=100.0)) == pytest.approx(30.0)
    assert visible_range(0.1, 0.1, Split(focal_px=1, ray_deg2=0.2)) == pytest.approx(np.rad2deg(0.1))
    cells, said = make_cells(_table(frames=120), {"STROLLER": 10}, {"STROLLER": "S"}, Split(bands=1))
    assert cells[0].range[1] <= 60 and "of the STROLLER boxes lie beyond" in said[0]


def test_priors_have_analytic_answers():
    table = _table()
    found = measure_priors(table, ["STROLLER", "PEDESTRIAN", "DOG"])
    assert set(found) == {"STROLLER", "PEDESTRIAN"}
    stroller = found["STROLLER"]
    assert stroller.prior.n == 40 and stroller.tracks == 8 and stroller.frames == 40
    assert stroller.prior.range == pytest.approx(np.quantile(5 + 0.5 * np.arange(40), [0.05, 0.25, 0.5, 0.75, 0.95]), abs=1e-3)
    assert stroller.prior.with_classes == {"PEDESTRIAN": 1.0} and stroller.prior.per_frame == (1, 1, 1, 1, 1)
    assert found["PEDESTRIAN"].prior.per_frame[2] == 3 and found["PEDESTRIAN"].prior.per_frame[4] == 5
    median = next(i for i in stroller.intervals if i.quantity == "range")
    assert median.low <= median.median <= median.high
    assert [i.low for i in measure_priors(_table(tracks=1), ["STROLLER"])["STROLLER"].intervals if i.quantity == "range"] == [None]
    assert measure_priors(table, ["STROLLER"]) == measure_priors(table, ["STROLLER"])


def test_intervals_cover_the_median_of_the_population():
    """A 90 % interval over independent objects covers the true median about 9 times in 10 (at least 45 of 60)."""
    gen, covered = np.random.default_rng(1), 0
    for _ in range(60):
        rows = [LabelRow("C", str(i), centre=(v, 0, 0), size=(1, 1, 1), yaw=0.0, track=str(i)) for i, v in enumerate(gen.uniform(10, 30, 25))]
        interval = measure_priors(table_of(rows, Origin("x", "av2")), ["C"])["C"].intervals[0]
        covered += interval.low <= 20 <= interval.high
    assert covered >= 45


def test_headings_are_cut_where_there_are_none():
    near_180 = np.array([175.0, 179, -178, -176, 178])
    assert np.ptp(unwrapped(near_180)) == pytest.approx(9.0)
    assert np.allclose(np.mod(unwrapped(near_180) - near_180, 360), 0) and abs(np.median(unwrapped(near_180))) <= 180


def test_ontology_names():
    assets = {"person": _spec(synonyms=("pedestrian",)), "mug": _spec(True, ("cup",)), **dict.fromkeys(("cone", "bus", "cyclist", "pallet"), _spec())}
    found = map_classes(
        ["PEDESTRIAN", "movable_object.trafficcone", "ARTICULATED_BUS", "Paper cup", "Tram", "Sofa", "Wheeled_Rider"], assets, {"Sofa": "sofa.usd"}
    )
    made = {k: v.asset for k, v in found.entries.items()}
    assert made == {
        "PEDESTRIAN": "person", "movable_object.trafficcone": "cone", "ARTICULATED_BUS": "bus", "Paper cup": "mug", "Sofa": "sofa",
        "Wheeled_Rider": "cyclist",
    }
    assert found.missing == ["Tram"] and found.entries["ARTICULATED_BUS"].stands_for == "a rigid bus" and found.entries["Sofa"].usd == "sofa.usd"
    assert any("no asset can make Tram" in s and "--usd" in s for s in found.said)
    assert (home("mug", assets), home("pallet", assets), home("person", assets)) == ("table_top", "warehouse", "street")


def test_the_written_budget_reads_back(tmp_path):
    (tmp_path / "log").mkdir()
    (tmp_path / "log" / "calibration.json").write_text("{}")
    table = _table(source=tmp_path / "log" / "annotations.npz")
    options = PlanOptions(tmp_path / "log" / "annotations.npz", target=300)
    result = make_budget(table, options)
    (tmp_path / "b.yaml").write_text(result.text)
    assert load(Budget, tmp_path / "b.yaml") == result.budget
    assert result.budget.rig == "av2:log/calibration.json" and result.budget.name == "log_tail" and result.budget.scenarios[0].file == "street"
    assert sum(c.target for c in result.budget.cells) == 260 and "samples or fewer" in result.text and "why: 40 of 300 labelled" in result.text
    assert json.loads(json.dumps(result.to_json()))["missing"] == {"STROLLER": 260}


def test_printing_shows_bars_remarks_cells_and_hours():
    options = PlanOptions(Path("x"), rate_per_hour=100, acceptance=0.5)
    stream = io.StringIO()
    print_survey(survey(_table(), options), Console(file=stream, width=120))
    print_plan(make_budget(_table(), options), Console(file=stream, width=120))
    text = stream.getvalue()
    assert all(part in text for part in ("█", "tail → 460 missing", "DOG", "--include-zero adds it", "resampled", "9.2 h", "as given"))


def test_plan_writes_whole_files_and_refuses_nonsense(tmp_path):
    labels = tmp_path / "counts.csv"
    labels.write_text("class,count\npedestrian,20\ncar,900\nTram,3\n")
    out = tmp_path / "new" / "budget.yaml"
    result = plan(PlanOptions(labels, percentile=50, output=out))
    assert load(Budget, out).cells[0].class_ == "pedestrian" and result.ontology.missing == ["Tram"]
    assert [p.name for p in out.parent.iterdir()] == ["budget.yaml"]
    for options, message in (
        (dict(target=0), "target must be between"),
        (dict(classes=("Tram",)), "no asset can make any of Tram; --usd 'Tram=FILE' gives a USD of yours, --classes pedestrian"),
        (dict(classes=("car",)), "nothing is short"),
        (dict(usd={"Tran": "x.usd"}), "not found"),
        (dict(split=Split(bands=0)), "range bands must be between"),
        (dict(output=tmp_path), "must be written to a file"),
        (dict(acceptance=1.5), "acceptance must be above 0 and at most 1"),
        (dict(measured_from=tmp_path), "must hold status.json"),
    ):
        with pytest.raises(UserError, match=message):
            plan(PlanOptions(labels, **{"percentile": 50, **options}))


def test_rate_from_an_earlier_run(tmp_path):
    clips = {"clips_accepted": 40, "clips_off_target": 10, "attempts": 99}
    status = {"cells": [{"achieved": 30}, {"achieved": 20}], "clips": clips, "elapsed_s": 180.0}
    (tmp_path / "status.json").write_text(json.dumps(status))
    rate = rate_of(None, None, tmp_path)
    assert rate.acceptance == pytest.approx(0.8) and rate.hours(1000) == pytest.approx(1.0) and "measured from" in rate.origin
    (tmp_path / "status.json").write_text(json.dumps({**status, "clips": {"clips_failed": 3, "clips_accepted": 0}}))
    with pytest.raises(UserError, match="accepted nothing yet"):
        rate_of(None, None, tmp_path)
    (tmp_path / "status.json").write_text("{}")
    with pytest.raises(UserError, match="cells, clips and elapsed_s are required"):
        rate_of(None, None, tmp_path)


def test_a_scenario_of_few_samples_keeps_a_weight(tmp_path):
    """Its share of the missing samples may round to nothing."""
    labels = tmp_path / "counts.csv"
    labels.write_text("class,count\npedestrian,20\nbottle,1999995\n")
    result = plan(PlanOptions(labels, target=2_000_000, classes=("all",), output=tmp_path / "budget.yaml"))
    assert [(s.file, s.weight) for s in load(Budget, tmp_path / "budget.yaml").scenarios] == [("street", 1.0), ("table_top", 0.001)]
    assert result.budget.rig == "quickstart_street"


def test_a_plan_and_a_check_choose_the_same_rig(tmp_path):
    labels = tmp_path / "counts.csv"
    labels.write_text("class,count\npallet,20\n")
    budget = plan(PlanOptions(labels, classes=("all",))).budget
    assert (budget.scenarios[0].file, budget.rig) == ("warehouse", "warehouse")
