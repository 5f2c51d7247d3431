"""Indirect inference on simulators whose answer is known."""

import numpy as np
from tailgate.calibrate.indirect import fit, widened
from tailgate.calibrate.problem import Problem
from tailgate.distributions import Ranged
from tailgate.validate.sketch import Sketch, Statistic

SHAPE = Statistic("shape", "1", tuple(np.linspace(-6.0, 6.0, 41)), ("near", "far"), 100)
PRIORS = {"centre": Ranged(low=-2.0, high=2.0), "spread": Ranged(low=0.2, high=2.0)}


def scenes(values, first, count, n=200):
    """Normal samples by scene; the far stratum is twice as wide, and each scene has a centre of its own."""
    out = []
    for k in range(first, first + count):
        draw = np.random.default_rng(k)
        own, z = 0.05 * draw.standard_normal(), draw.standard_normal((4, 2, n))
        blocks = []
        for block in z:
            sketch = Sketch()
            for stratum, wide in enumerate((1.0, 2.0)):
                x = values["centre"] + values.get("other", 0.0) + own + wide * values["spread"] * block[stratum]
                sketch.add(SHAPE, np.full(n, stratum), x)
            blocks.append(sketch)
        out.append(blocks)
    return out


def found(hidden, first=1000, priors=PRIORS, count=10):
    reference = [block for scene in scenes(hidden, first, count) for block in scene]
    seen = dict.fromkeys(priors, ("shape",))
    few, some, all_of_them = (lambda values, n=n: scenes(values, 0, n) for n in (3, 6, 24))
    return fit(Problem(reference, {"shape": SHAPE}, priors, seen, few, {}, [some], all_of_them))


def test_hidden_settings_are_found_and_the_prior_does_not_pull():
    hidden = {"centre": -1.6, "spread": 0.4}
    estimates = found(hidden).estimates
    assert all(e.state == "identified" for e in estimates.values()), estimates
    for name, e in estimates.items():
        assert abs(e.value / hidden[name] - 1) < 0.05 and e.low <= hidden[name] <= e.high


def test_intervals_hold_the_truth_as_often_as_they_say():
    draw, held = np.random.default_rng(0), []
    for k in range(16):
        hidden = {n: p._from_unit(float(draw.uniform(0.1, 0.9))) for n, p in PRIORS.items()}
        held += [e.low <= hidden[n] <= e.high for n, e in found(hidden, 1000 + 100 * k).estimates.items()]
    # Of 32 intervals of 95 %, 25 or fewer hold by chance less than once in a hundred times.
    assert sum(held) > 25, held


def test_what_trades_off_or_does_nothing_is_not_claimed():
    priors = {**PRIORS, "other": Ranged(low=-2.0, high=2.0), "nothing": Ranged(low=0.0, high=1.0)}
    estimates = found({"centre": 1.0, "spread": 0.5, "other": 0.0}, priors=priors).estimates
    assert not estimates["nothing"].identifiable and estimates["nothing"].why == "no statistic of the reference responds to it"
    assert not estimates["centre"].identifiable and not estimates["other"].identifiable
    assert estimates["spread"].state == "identified"


def test_an_estimate_at_its_bound_is_open_and_settles_nothing_that_trades_with_it():
    """A hidden centre beyond its bounds: the estimate stops there, and the spread, which makes up for it, holds only if it lies there."""
    hidden = {"centre": 2.6, "spread": 0.5}
    found_out = found(hidden).estimates
    centre = found_out["centre"]
    assert centre.open == (False, True) and centre.state == "roughly" and centre.high == 2.0
    inside = found({"centre": 1.0, "spread": 0.5}).estimates
    assert all(e.open == (False, False) and e.supposes == () and e.state == "identified" for e in inside.values())


def test_settings_that_trade_with_one_at_its_bound_say_so():
    twin = {**PRIORS, "other": Ranged(low=-0.2, high=0.2)}
    estimates = found({"centre": 1.9, "spread": 0.5, "other": 1.0}, priors=twin).estimates
    assert estimates["centre"].open[1] and "centre" in estimates["other"].supposes and "spread" not in estimates["other"].supposes


def test_nothing_lies_below_none_or_above_all_of_it():
    share = {"spread": PRIORS["spread"], "centre": Ranged(low=0.0, high=1.0, unit="share")}
    for hidden in (0.0, 1.0):
        estimate = found({"centre": hidden, "spread": 0.5}, priors=share).estimates["centre"]
        assert estimate.open == (False, False)


def test_widened_intervals_keep_their_estimates_and_claim_less():
    narrow = found({"centre": -1.6, "spread": 0.4})
    wide = widened(narrow, PRIORS, 3.0)
    for name, e in narrow.estimates.items():
        assert wide.estimates[name].value == e.value
        assert wide.estimates[name].high - wide.estimates[name].low > 2.5 * (e.high - e.low) * (0.9 if e.open == (False, False) else 0.5)
    assert widened(narrow, PRIORS, 100.0).estimates["spread"].state == "not identified"
    assert "half its bounds" in widened(narrow, PRIORS, 100.0).estimates["spread"].why


def test_what_the_simulator_cannot_match_widens_the_interval():
    """A far stratum three times as wide instead of twice: no spread fits both."""
    hidden = {"centre": 1.0, "spread": 0.6}
    reference = [block for scene in scenes(hidden, 1000, 10) for block in scene]
    wide = scenes({**hidden, "spread": 0.9}, 1000, 10)
    for block, other in zip(reference, [b for scene in wide for b in scene], strict=True):
        block.counts["shape"][1] = other.counts["shape"][1]
    seen = dict.fromkeys(PRIORS, ("shape",))
    wrong = fit(Problem(reference, {"shape": SHAPE}, PRIORS, seen, lambda v: scenes(v, 0, 12))).estimates["spread"]
    right = found(hidden).estimates["spread"]
    assert wrong.high - wrong.low > 4 * (right.high - right.low)
    assert 0.6 < wrong.value < 0.9
