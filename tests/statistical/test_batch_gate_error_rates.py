"""The batch gate's error rates on worlds whose truth is known: many references, few and many places, fresh batches of other places."""

import numpy as np
import pytest
from tailgate.config.budget import Gate
from tailgate.validate.calibration import MIN_PLACES, Wrong, calibrate, fit, wilson
from tailgate.validate.gate import BatchGate, places_by_modality, sizes
from tailgate.validate.places import Places, stratum_distances
from tailgate.validate.sketch import Sketch, Statistic

EDGES = tuple(np.linspace(-0.2, 0.2, 41))
STATISTICS = {
    "noise": Statistic("noise", "m", EDGES, ("near", "far")),
    "holes": Statistic("holes", "share", (-0.5, 0.5, 1.5), ("near", "far")),
    "grey": Statistic("grey", "1", tuple(np.linspace(0, 1, 26)), ("near", "far")),
}
PLACES_DIFFER = 0.15
"""Spread of the logarithm of each parameter between places."""


def sensor(rng: np.random.Generator, noise: float = 0.02, holes: float = 0.05, grey: float = 0.35, n: int = 400) -> Sketch:
    """One place as one sensor sees it."""
    sketch, stratum = Sketch(), np.repeat([0, 1], n)
    noise, holes, grey = np.array([noise, holes, grey]) * np.exp(PLACES_DIFFER * rng.normal(size=3))
    sketch.add(STATISTICS["noise"], stratum, rng.normal(size=2 * n) * noise * (1 + stratum))
    sketch.add(STATISTICS["holes"], stratum, (rng.random(2 * n) < holes * (1 + stratum)).astype(float))
    sketch.add(STATISTICS["grey"], stratum, np.clip(rng.normal(grey, 0.1, 2 * n), 0, 1))
    return sketch


def world(rng: np.random.Generator, places: int, **truth: float) -> dict[str, list[Sketch]]:
    return {f"place {k:02d}": [sensor(rng, **truth)] for k in range(places)}


def total(blocks: dict[str, list[Sketch]]) -> Sketch:
    return Sketch.total(b for own in blocks.values() for b in own)


@pytest.mark.parametrize(("count", "size"), [(6, 1), (6, 2), (12, 4), (40, 1), (40, 13)])
def test_real_batches_of_new_places_are_rejected_at_most_one_time_in_ten(count, size):
    """With every statistic gating, which is the most a gate can reject."""
    rng, references, fresh = np.random.default_rng(count * 100 + size), 30, 10
    rejected = []
    for _ in range(references):
        places = places_by_modality(world(rng, count), STATISTICS)[""]
        found = fit(places, np.arange(count), size, rng, 150)
        joint, everything = found.joint(), np.ones((1, count), dtype=bool)
        for _ in range(fresh):
            batch = total(world(rng, size)).counts
            far = {n: stratum_distances(s, batch[n][None], places.total(n, everything)) for n, s in STATISTICS.items()}
            rejected.append(max(found.standardize(far).values()) > joint)
    # 5 % are asked for; 30 references of 10 batches each, dependent within a reference, leave about ± 3.5 %.
    assert np.mean(rejected) <= 0.10


def test_power_rises_with_strength_and_with_the_batch():
    rng = np.random.default_rng(5)
    real = world(rng, 24)
    places = places_by_modality(real, STATISTICS)[""]
    strengths = (1.2, 1.5, 2.0, 4.0)
    wrong = [world(np.random.default_rng(5), 24, noise=0.02 * s) for s in strengths]
    control = {"noise": Wrong(tuple(places.again(w) for w in wrong), 2)}
    found = {size: calibrate(places, control, size, 0, 40) for size in (2, 8)}
    for limits in found.values():
        power = [r.value for r in limits.power["noise"]]
        assert power == sorted(power) and power[-1] == 1.0 and limits.statistics["noise"].gates
        assert limits.false_rejects.value <= 0.15
        assert limits.statistics["noise"].limit == pytest.approx(limits.joint * limits.statistics["noise"].null.rms)
    assert found[8].power["noise"][1].value >= found[2].power["noise"][1].value


def test_few_places_widen_the_limit_and_too_few_give_none():
    rng = np.random.default_rng(2)
    real = world(rng, 40)
    names = list(real)
    joint = [fit(places_by_modality(dict(list(real.items())[:n]), STATISTICS)[""], np.arange(n), 1, rng).joint() for n in (5, 12, 40)]
    assert joint[0] > joint[1] > joint[2] > 2.2
    few = BatchGate({"only": [b for n in names[: MIN_PLACES - 1] for b in real[n]]}, STATISTICS, Gate())
    card = few.judge(total(world(rng, 2, noise=0.2)))
    assert card.verdict == "accepted" and {r.verdict for r in card.rows} == {"unjudged"}


def test_frames_of_a_standing_sensor_stay_on_one_side():
    rng = np.random.default_rng(3)
    lidar = {"range_noise": Statistic("range_noise", "m", EDGES, ("near", "far"))}

    def sector() -> Sketch:
        sketch = Sketch()
        sketch.add(lidar["range_noise"], np.repeat([0, 1], 300), rng.normal(size=600) * 0.02)
        return sketch

    places = Places.of({"street": [sector() for _ in range(3 * 12)]}, lidar, sectors=12)
    assert len(places) == 12 and places.kind == "sector of a recording"
    assert all(len(set(places.place[k::12])) == 1 for k in range(12))
    picked = places.pick(np.array([4, 7]), 4, rng)
    assert sorted(places.place[picked]) == [4, 4, 7, 7]
    whole = Places.of({f"r{k}": [sector() for _ in range(12)] for k in range(4)}, lidar, sectors=12)
    assert len(whole) == 4 and set(whole.place[whole.pick(np.array([2, 1]), 12, rng)]) == {2}
    parts = Places.of({f"street#{k}": [sector() for _ in range(12)] for k in range(5)}, lidar, sectors=12)
    assert len(parts) == 12 and len(parts.place) == 60
    assert sizes(whole)[-1] == 12 and sizes(places)[-1] == 12


def test_the_interval_of_a_share():
    known = wilson(0.0, 10)  # (Newcombe 1998, table I: 0/10 gives 0 to 0.2775)
    assert known.low == 0.0 and known.high == pytest.approx(0.2775, abs=2e-4)
    half = wilson(0.5, 100)
    assert half.low == pytest.approx(0.4038, abs=2e-4) and half.high == pytest.approx(0.5962, abs=2e-4)
