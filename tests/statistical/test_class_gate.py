"""The class gate on simulated objects: real crops pass, wrong ones fail, and what a metric cannot tell it does not decide."""

from dataclasses import replace

import numpy as np
import pytest
from tailgate.config.budget import Gate
from tailgate.validate.class_gate import ClassGate
from tailgate.validate.class_sets import UNITS
from tailgate.validate.controls import CROP_CONTROLS, REQUIRED
from tailgate.validate.crops import RESAMPLED, Crop, resample
from tailgate.validate.js import MAX_JS
from tailgate.validate.stratum import DRAWS


def car(rng: np.random.Generator, group: str, k: int, noise: float = 0.02, distance: float = 10.0, class_name: str = "car") -> Crop:
    """The side, rear and roof of a car-sized body as a LiDAR sees them, with range noise."""
    length, width, height = size = np.array([4.2, 1.8, 1.5]) * rng.uniform(0.9, 1.1, 3)
    n = int(rng.integers(120, 260))
    u, v, face = rng.uniform(-0.5, 0.5, n), rng.uniform(-0.4, 0.5, n), rng.choice(3, n, p=[0.5, 0.3, 0.2])
    side = np.stack([u * length, np.full(n, -0.45 * width) - 0.1 * np.maximum(v, 0), v * height], axis=1)
    rear = np.stack([np.full(n, -0.48 * length) + 0.3 * np.maximum(v, 0), u * width, v * height], axis=1)
    roof = np.stack([u * 0.5 * length, v * width, np.full(n, 0.47 * height)], axis=1)
    points = np.choose(face[:, None], [side, rear, roof]) + rng.normal(size=(n, 3)) * noise
    lit = np.clip(rng.normal(0.3, 0.1, n), 0, 1).astype(np.float32)
    common = dict(class_name=class_name, instance=k, group=group, frame=f"{group}-{k}", modality="lidar", axes="box", range=distance)
    points = points.astype(np.float32)
    return Crop(**common, size=tuple(size), count=n, points=points, intensity=lit, resampled=resample(points, RESAMPLED, rng))


def cars(seed: int, count: int, groups: int = 6, **changes: float) -> list[Crop]:
    rng = np.random.default_rng(seed)
    return [car(rng, f"track {seed}-{k % groups}", k, **changes) for k in range(count)]


@pytest.fixture(scope="module")
def real_cars(class_gate):
    return class_gate.judge("car", cars(1, 20))


@pytest.fixture(scope="module")
def class_gate() -> ClassGate:
    return ClassGate(cars(0, 24), Gate())


def test_real_cars_are_accepted(real_cars):
    card = real_cars
    assert card.verdict == "accepted", card.rows
    judged = [r for r in card.rows if r.metric not in UNITS]
    assert {r.metric for r in judged} == {"dogss", "dogss_chamfer", "dogss_emd", "js_norm", "js_sliced", "joint"}
    assert {r.stratum for r in card.rows} == {"0-15 m"} and all(r.n == 20 for r in card.rows)
    assert {r.null.n for r in judged if r.metric != "joint"} == {DRAWS}


@pytest.mark.parametrize("control", CROP_CONTROLS)
def test_what_the_gate_claims_to_tell_is_quarantined(class_gate, control):
    told = class_gate.limits(("car", "lidar", 0), 20).gate_power[control] >= 0.95
    card = class_gate.judge("car", [CROP_CONTROLS[control](c) for c in cars(2, 20)])
    assert told or control not in REQUIRED
    assert card.verdict == "quarantined" or not told


def test_a_gate_that_lacks_power_says_so(real_cars):
    by_metric = {r.metric: r for r in real_cars.rows}
    for name in ("dogss", "js_norm", "js_sliced"):
        assert by_metric[name].gates == (by_metric[name].verdict != "no power")
    assert any(by_metric[n].gates for n in ("dogss", "js_norm", "js_sliced"))


def test_provisional_unjudged_and_absent(class_gate):
    assert class_gate.judge("car", cars(3, 6)).verdict == "provisional"
    far = class_gate.judge("car", cars(4, 24, distance=40.0))
    assert far.verdict == "unjudged" and {r.verdict for r in far.rows} == {"unjudged"}
    absent = class_gate.judge("car", [])
    assert absent.verdict == "quarantined" and absent.codes() == ["js_norm"] and absent.rows[0].value == MAX_JS
    assert class_gate.judge("stroller", []).verdict == "unjudged"
    one_track = ClassGate(cars(5, 30, groups=1), Gate()).judge("car", cars(6, 24))
    assert one_track.verdict == "unjudged" and "1 group;" in one_track.rows[0].note


def test_crops_in_other_axes_are_not_compared(class_gate):
    free = [replace(c, axes="camera_up") for c in cars(7, 24)]
    assert class_gate.judge("car", free).verdict == "unjudged"


def test_nearest_reference_per_object(class_gate):
    crops = [*cars(0, 2), *cars(8, 2), *cars(9, 1, distance=70.0)]
    found = class_gate.nearest(crops)
    assert found[:2] == pytest.approx(0.0, abs=1e-6) and (found[2:4] > 0.02).all() and np.isnan(found[4])


def test_the_joint_limit_holds_the_rate_of_real_batches_and_x_max_follows(class_gate):
    limits = class_gate.limits(("car", "lidar", 0), 20)
    assert limits.gating and all(limits.power[m][c] >= 0.95 for m in limits.gating for c in REQUIRED)
    assert limits.joint >= 1.0
    assert [limits.x_max[d] * 0.25 for d in ("chamfer", "emd")] == pytest.approx(limits.limit[:2])
    strict = ClassGate(cars(0, 24), Gate(dogss_min=0.9)).limits(("car", "lidar", 0), 20)
    assert strict.limit[:2] == pytest.approx(0.4 * np.array([strict.x_max[d] * 0.25 for d in ("chamfer", "emd")]))


def small(seed: int, class_name: str, count: int, groups: int = 6) -> list[Crop]:
    """Objects of another shape, seen by the same sensor."""
    crops = cars(seed, count, groups, class_name=class_name)
    return [replace(c, points=c.points * 0.4, resampled=c.resampled * 0.4, size=tuple(0.4 * s for s in c.size)) for c in crops]


def test_a_support_class_lends_its_local_geometry_only():
    reference = [*cars(0, 24), *small(1, "bicycle", 12), *small(2, "stroller", 12), *small(3, "wheelchair", 4)]
    plain, supported = (ClassGate(reference, Gate(support=s)) for s in ({}, {"wheelchair": "car", "car": "bicycle"}))
    seen = small(4, "wheelchair", 20)
    assert plain.judge("wheelchair", seen).verdict == "unjudged"
    rows = {r.metric: r for r in supported.judge("wheelchair", seen).rows}
    assert all(r.stratum == "0-15 m against car" and r.note.startswith("judged against car (support)") for r in rows.values())
    assert rows["dogss"].value is None and not rows["dogss"].gates and rows["js_sliced"].value is not None
    assert "dogss" not in supported.judge("wheelchair", seen).codes()
    own = supported.judge("car", cars(5, 20))
    assert {r.stratum for r in own.rows} == {"0-15 m"}
    alone = ClassGate([*cars(0, 24), *small(3, "wheelchair", 4)], Gate(support={"wheelchair": "car"})).judge("wheelchair", seen)
    assert alone.verdict == "unjudged" and "of other classes the reference holds 4 crops" in alone.rows[0].note


def test_wrong_classes_of_the_same_size_are_a_control():
    vans = cars(6, 20, class_name="van", noise=0.1)
    power = ClassGate([*cars(0, 24), *vans], Gate()).limits(("car", "lidar", 0), 20).power["js_sliced"]
    assert power["another class"] >= power["20 % of another class"] and power["another class"] > 0.9
    assert "another class" not in ClassGate([*cars(0, 24), *small(7, "ball", 20)], Gate()).limits(("car", "lidar", 0), 20).power["js_sliced"]


def test_a_side_without_intensity_is_judged_by_the_rest(class_gate, real_cars):
    card = class_gate.judge("car", [replace(c, intensity=None) for c in cars(1, 20)])
    assert card.verdict == "accepted" and card.value("js_sliced", "0-15 m") != real_cars.value("js_sliced", "0-15 m")
