"""Differences in units of real against real: sizes, directions and false alarms on made-up worlds; what gives data away; the page."""

import io
import json
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console
from tailgate.cli.gap import print_gap
from tailgate.report.gap_record import GapRecord, MapOfBlocks, direction_words, reason_words, words_of
from tailgate.report.score_record import SetInfo
from tailgate.validate.content import content_sketch, content_statistics, timing_sketch, timing_statistics
from tailgate.validate.gap import Layer, differences, ranked
from tailgate.validate.places import Places
from tailgate.validate.sketch import Sketch, Statistic
from tailgate.validate.told import BlockTable, embed, told_apart

NOISE = Statistic("range_noise", "m", tuple(np.linspace(-0.1, 0.1, 41)), ("near", "far"), 100)
HOLES = Statistic("hole_rate", "share", (-0.5, 0.5, 1.5), ("6-12 m", "12-25 m"), 100)
STATISTICS = {"range_noise": NOISE, "hole_rate": HOLES}
LAYER = Layer("sensor", "lidar", STATISTICS)


def block(rng, sigma=0.02, rate=0.05, n=600):
    """One place: its noise and its losses differ a little from the next place's."""
    sketch, own = Sketch(), sigma * rng.normal(1, 0.05)
    for s in range(2):
        sketch.add(NOISE, np.full(n, s), rng.normal(0, own, n))
        sketch.add(HOLES, np.full(n, s), (rng.random(n) < rate * rng.normal(1, 0.1)).astype(float))
    return sketch


def world(seed, places=8, frames=8, **changed):
    rng = np.random.default_rng(seed)
    real = {f"r{i}": [block(rng), block(rng)] for i in range(places)}
    synthetic = [block(rng, **changed) for _ in range(2 * frames)]
    return real, synthetic, [str(i // 2) for i in range(2 * frames)]


def test_what_differs_leads_and_has_its_direction():
    real, synthetic, frames = world(1, sigma=0.01, rate=0.15)
    found = ranked(differences(LAYER, Places.of(real, STATISTICS), synthetic, frames))
    assert all(d.matters for d in found) and {d.metric for d in found} == {"range_noise", "hole_rate"}
    assert {d.direction for d in found if d.metric == "range_noise"} == {"less"}
    assert {d.direction for d in found if d.metric == "hole_rate"} == {"more"}
    assert "too many lost returns at" in words_of(next(d for d in found if d.metric == "hole_rate"))
    assert found[0].interval[0] >= found[-1].interval[0] > 1 and found[0].low <= found[0].value <= found[0].high


def test_value_is_w1_of_known_distributions():
    """Rates: W1 of two shares on the bins of a rate is their difference."""
    sketches = []
    for rate in (0.1, 0.3):
        sketch, missing = Sketch(), np.zeros(1000)
        missing[: int(rate * 1000)] = 1.0
        sketch.add(HOLES, np.zeros(1000, dtype=int), missing)
        sketches.append(sketch)
    real = Places.of({f"r{i}": [sketches[0]] for i in range(4)}, {"hole_rate": HOLES})
    (found,) = differences(Layer("sensor", "lidar", {"hole_rate": HOLES}), real, [sketches[1]] * 3, list("abc"))
    assert found.value == pytest.approx(0.2, abs=1e-9) and (found.real, found.synthetic) == pytest.approx((0.1, 0.3))


def test_real_against_real_rarely_matters():
    matter = judged = 0
    for seed in range(40):
        real, synthetic, frames = world(100 + seed)
        found = differences(LAYER, Places.of(real, STATISTICS), synthetic, frames)
        matter, judged = matter + sum(d.matters for d in found), judged + len(found)
    assert judged == 160 and matter / judged <= 0.05


def test_too_few_places_have_no_floor():
    real, synthetic, frames = world(3, places=1)
    found = differences(LAYER, Places.of({"r0": real["r0"]}, STATISTICS), synthetic, frames)
    assert found and all(d.floor is None and d.ratio is None and not d.matters for d in found)


def test_order_of_frames_changes_nothing():
    real, synthetic, frames = world(4, sigma=0.03)
    places = Places.of(real, STATISTICS)
    assert differences(LAYER, places, synthetic, frames) == differences(LAYER, places, synthetic, frames)


def test_content_counts_an_object_once_and_ranks_last(monkeypatch):
    crop = type("Crop", (), {})
    seen = []
    for instance, modality, range_m in ((1, "lidar", 12.0), (1, "rgbd", 13.0), (2, "lidar", 40.0)):
        one = crop()
        one.class_name, one.instance, one.modality, one.range, one.size = "car", instance, modality, range_m, (4.0, 2.0, 1.5)
        seen.append(one)
    statistics = content_statistics(["car", "cone"])
    counts = content_sketch(seen, statistics).counts
    assert counts["objects_per_frame"][0].argmax() == 2 and counts["objects_per_frame"][1].argmax() == 0
    assert counts["object_distance"][0].sum() == 2 and counts["object_distance"][0][2] == 1 and counts["object_distance"][1].sum() == 0


def test_timing_tells_late_sensors():
    statistics = timing_statistics(["camera", "lidar"])
    rng = np.random.default_rng(0)
    real = {f"r{i}": [timing_sketch({"camera": (50 + rng.normal(0, 2), 10.0), "lidar": (0.0, 100.0)}, statistics)] for i in range(40)}
    ours = [timing_sketch({"camera": (5 + rng.normal(0, 2), 10.0), "lidar": (0.0, 100.0)}, statistics) for _ in range(40)]
    found = differences(Layer("latency", "", statistics), Places.of(real, statistics), ours, [str(i) for i in range(40)])
    late = ranked(found)[0]
    assert (late.metric, late.stratum, late.direction, late.matters) == ("sensor_offset", "camera", "less", True)


def table(seed, **changed):
    real, synthetic, frames = world(seed, places=12, frames=12, **changed)
    blocks = [b for g in sorted(real) for b in real[g]]
    return BlockTable.of((blocks, [g for g in sorted(real) for _ in real[g]]), (synthetic, frames), STATISTICS)


def test_told_apart_names_the_reason():
    told = told_apart(table(5, rate=0.2), "lidar")
    assert told.auc > 0.95 and told.p < 0.01 and told.floor < 0.7
    assert told.reasons[0].metric == "hole_rate" and told.reasons[0].direction == "more"
    assert reason_words(told.reasons[0]).startswith("told apart by too many lost returns at")


def test_alike_has_no_reason():
    told = [told_apart(table(20 + seed), "lidar") for seed in range(10)]
    assert sum(t.p <= 0.05 for t in told) <= 2 and all(not t.reasons for t in told if t.p > 0.05)


def test_words_for_unknown_statistics():
    assert direction_words("hole_rate", "more alike") == "too regular losses of returns"
    assert direction_words("something_else", "less") == "something else too low"


def test_page_and_json(tmp_path):
    real, synthetic, frames = world(6, sigma=0.01)
    rows = ranked(differences(LAYER, Places.of(real, STATISTICS), synthetic, frames))
    held = table(6, sigma=0.01)
    side = SetInfo("/data/<b>x", "kitti", 8, 8, False, {"lidar": "hdl64e"}, ("a note",))
    maps = {"lidar": MapOfBlocks(embed(held), held.real, held.unit.tolist())}
    record = GapRecord(side, side, rows, [told_apart(held, "lidar")], maps, 1.7, {"lidar": ("recording", 8)}, ["a note"], "0")
    console = Console(file=io.StringIO(), width=300)
    print_gap(replace(record, notes=["of [/data/b]", "cart[heavy]"]), console)
    text, span = console.file.getvalue(), rows[0].interval
    assert "note: of [/data/b]\nnote: cart[heavy]\n" in text and f"[{span[0]:.1f}, {span[1]:.1f}]" in text
    page = record.to_html(tmp_path / "gap.html").read_text()
    assert "A gap that matters" in page and "Range too clean" in page and "<b>x" not in page and "<script" not in page
    plain = json.loads(json.dumps(record.to_json()))
    assert plain["differences"][0]["matters"] is True and plain["differences"][0]["words"].startswith("range too clean")
    assert record.sentence.startswith("What matters most: range too clean at")
