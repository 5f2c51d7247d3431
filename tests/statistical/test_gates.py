"""The gates on simulated sensors: real data passes, wrong data fails, too little data is not judged."""

import numpy as np
import pytest
from tailgate.config.budget import Gate
from tailgate.errors import UserError
from tailgate.validate.controls import statistic_control
from tailgate.validate.deviation import frame_deviation
from tailgate.validate.gate import BatchGate
from tailgate.validate.ratio import distance_ratio
from tailgate.validate.sketch import Sketch, Statistic, w1

RESIDUAL = tuple(np.linspace(-0.2, 0.2, 81))
STATISTICS = {
    "range_noise": Statistic("range_noise", "m", RESIDUAL, ("near", "far")),
    "hole_rate": Statistic("hole_rate", "share", (-0.5, 0.5, 1.5), ("near", "far")),
    "intensity": Statistic("intensity", "1", tuple(np.linspace(0, 1, 51)), ("near", "far")),
}


def block(rng: np.random.Generator, noise: float = 0.02, holes: float = 0.05, dim: float = 0.35, n: int = 400) -> Sketch:
    """A place block of a simulated sensor; places differ by a few percent, and the far stratum is noisier."""
    sketch, stratum = Sketch(), np.repeat([0, 1], n)
    place = np.exp(rng.normal(0, 0.06, 3))
    sketch.add(STATISTICS["range_noise"], stratum, rng.normal(size=2 * n) * noise * place[0] * (1 + stratum))
    sketch.add(STATISTICS["hole_rate"], stratum, (rng.random(2 * n) < holes * place[1] * (1 + stratum)).astype(float))
    sketch.add(STATISTICS["intensity"], stratum, np.clip(rng.normal(dim * place[2], 0.1, 2 * n), 0, 1))
    return sketch


def blocks(seed: int, count: int, **sensor: float) -> list[Sketch]:
    rng = np.random.default_rng(seed)
    return [block(rng, **sensor) for _ in range(count)]


REFERENCE = {f"recording {k}": blocks(k, 10) for k in range(5)}


@pytest.fixture(scope="module")
def gate() -> BatchGate:
    return BatchGate(REFERENCE, STATISTICS, Gate())


def test_many_w1_at_once_equal_one_at_a_time():
    rng = np.random.default_rng(0)
    p, q = rng.integers(0, 9, size=(2, 3, 4, 80)).astype(float) + 0.1
    one_by_one = [[w1(a, b, RESIDUAL) for a, b in zip(x, y, strict=True)] for x, y in zip(p, q, strict=True)]
    assert np.array_equal(w1(p, q, RESIDUAL), one_by_one)


def test_real_batches_are_rejected_at_the_joint_rate(gate):
    rejected = [gate.judge(Sketch.total(blocks(1000 + k, 10))).verdict == "rejected" for k in range(200)]
    assert np.mean(rejected) <= 0.10  # nominal 0.05; 200 batches and five recordings leave ± 0.04


WRONG = [({"noise": 0.04}, "range_noise"), ({"noise": 0.01}, "range_noise"), ({"holes": 0.0}, "hole_rate"), ({"dim": 0.6}, "intensity")]


@pytest.mark.parametrize(("sensor", "code"), WRONG)
def test_a_wrong_sensor_is_named(gate, sensor, code):
    card = gate.judge(Sketch.total(blocks(7, 10, **sensor)))
    assert card.verdict == "rejected" and card.codes() == [code]
    row = next(r for r in card.rows if r.metric == code and r.stratum == "all")
    assert row.value > row.limit >= row.null.q95 and row.null.n >= 200 and row.modality == "lidar"
    assert {r.stratum for r in card.rows if r.metric == code} == {"all", "near", "far"}


def test_without_power_a_statistic_decides_nothing():
    rng = np.random.default_rng(3)
    wild = {f"r{k}": [block(rng, noise=0.02 * np.exp(rng.normal(0, 1))) for _ in range(6)] for k in range(3)}
    card = BatchGate(wild, STATISTICS, Gate()).judge(Sketch.total(blocks(5, 6, noise=0.2)))
    assert "range_noise" not in card.codes()
    assert next(r for r in card.rows if r.metric == "range_noise").verdict == "no power"


def test_budget_limits_replace_calibrated_ones():
    card = BatchGate(REFERENCE, STATISTICS, Gate(statistics={"hole_rate": 1e-6})).judge(Sketch.total(blocks(8, 10)))
    assert card.codes() == ["hole_rate"]
    with pytest.raises(UserError, match="did you mean 'hole_rate'"):
        BatchGate(REFERENCE, STATISTICS, Gate(statistics={"hole_rat": 0.1}))


def test_too_little_real_data_is_unjudged():
    few = {"only": REFERENCE["recording 0"][:2]}
    batch = Sketch.total(blocks(9, 10, noise=0.2))
    card = BatchGate(few, STATISTICS, Gate()).judge(batch)
    assert card.verdict == "accepted" and {r.verdict for r in card.rows} == {"unjudged"}
    held = BatchGate(few, STATISTICS, Gate(unjudged="hold")).judge(batch)
    assert held.verdict == "rejected" and held.codes() == ["unjudged"]
    assert BatchGate({}, STATISTICS, Gate()).judge(batch).verdict == "accepted"


def test_one_recording_is_split_against_itself(gate):
    single = BatchGate({"only": REFERENCE["recording 0"]}, STATISTICS, Gate())
    assert "range_noise" in single.judge(Sketch.total(blocks(11, 5, noise=0.06))).codes()


def test_verdicts_do_not_depend_on_the_order_of_calls(gate):
    first, second = (Sketch.total(blocks(k, n)) for k, n in ((21, 10), (22, 30)))
    fresh = BatchGate(REFERENCE, STATISTICS, Gate())
    backwards = [fresh.judge(s).to_json() for s in (second, first)][::-1]
    assert [gate.judge(s).to_json() for s in (first, second)] == backwards


def test_controls_do_what_they_say():
    name, stretch = statistic_control(STATISTICS["range_noise"])
    rng = np.random.default_rng(1)
    one, two = (np.histogram(np.clip(rng.normal(0, s, 400_000), -0.2, 0.2), RESIDUAL)[0] for s in (0.02, 0.04))
    assert name == "noise doubled" and w1(one @ stretch, two, RESIDUAL) < 2e-4 < w1(one, two, RESIDUAL)
    assert (np.array([3.0, 7.0]) @ statistic_control(STATISTICS["hole_rate"])[1]).tolist() == [10.0, 0.0]
    assert (np.arange(50.0) @ statistic_control(STATISTICS["intensity"])[1]).tolist() == np.arange(50.0)[::-1].tolist()


def test_deviations_are_signed():
    total = Sketch.total(b for group in REFERENCE.values() for b in group)
    same = frame_deviation(Sketch.total(blocks(31, 10)), total, STATISTICS)
    assert all(abs(v) < 0.1 for v in same.values())
    for (sensor, name), sign in zip(WRONG, (1, -1, -1, 1), strict=True):
        found = frame_deviation(Sketch.total(blocks(32, 2, **sensor)), total, STATISTICS)
        assert np.sign(found[name]) == sign and abs(found[name]) > 0.2, (sensor, found)
    assert frame_deviation(Sketch(), total, STATISTICS) == {}


def test_distance_ratio_is_one_for_real_and_grows_with_the_gap():
    real = distance_ratio(REFERENCE, blocks(41, 12), STATISTICS)
    off = [distance_ratio(REFERENCE, blocks(42, 12, noise=n), STATISTICS).value for n in (0.02, 0.026, 0.05)]
    assert real.value == pytest.approx(1.0, abs=0.15) and real.across_groups and real.n_real == 50 and real.n_synthetic == 12
    assert off[0] < off[1] < off[2] and off[2] > 2
    single = distance_ratio(REFERENCE["recording 0"], blocks(43, 12), STATISTICS)
    assert not single.across_groups and single.value == pytest.approx(1.0, abs=0.3)
    assert distance_ratio([], blocks(44, 2), STATISTICS).value is None and distance_ratio(REFERENCE, [], STATISTICS).value is None
