"""Ratios on places a fit has not seen, and how well few places tell them."""

import numpy as np
import pytest
from tailgate.calibrate.holdout import Compared, Recorded, average, folds
from tailgate.validate.sketch import Sketch, Statistic

STATISTIC = {"noise": Statistic("noise", "mm", (0.0, 1.0), ("all",))}


def compared(value, model, held):
    """One fold: places [n] of one value each, a model's value, and the numbers of the places held out."""
    known = [i for i in range(len(value)) if i not in held]
    pairs = [(i, j, abs(value[i] - 9), abs(value[i] - model), abs(value[i] - value[j])) for i in held for j in known]
    rows = np.array(pairs, float)
    return {"noise": Compared(rows[:, 0], rows[:, 1], rows[:, 2:], 1.0, 2.0)}


def row(value, model, most=3):
    (found,) = average([compared(value, model, list(range(k, len(value), most))) for k in range(min(most, len(value)))], STATISTIC)
    return found


def test_a_ratio_that_every_pair_agrees_on_is_sure():
    pairs = np.tile([9.0, 3.0, 2.0], (6, 1))
    places = np.arange(6.0)
    (found,) = average([{"noise": Compared(places, np.roll(places, 1), pairs, 1.0, 2.0)}], STATISTIC)
    assert (found.before, found.after, found.between, found.ratio, found.common) == (9.0, 3.0, 2.0, 1.5, 0.5)
    assert found.interval == pytest.approx((1.5, 1.5))


def test_two_places_tell_no_interval():
    assert row([1.0, 2.0], 1.5).interval == (0.0, np.inf)


def test_intervals_hold_the_true_ratio():
    """Places scatter normally, the model stands half their spread beside their mean: means of |x - m| and |x - x'| are known in closed form."""
    draw, model = np.random.default_rng(3), 0.5
    true = (np.sqrt(2 / np.pi) * np.exp(-(model**2) / 2) + model * (2 * 0.6914624612740131 - 1)) / (2 / np.sqrt(np.pi))
    for places in (4, 12, 38):
        found = [row(draw.normal(size=places), model) for _ in range(400)]
        assert np.mean([f.interval[0] <= true <= f.interval[1] for f in found]) > 0.9
        assert np.exp(np.mean([np.log(f.ratio) for f in found])) == pytest.approx(true, rel=0.15)


@pytest.mark.parametrize("recordings, count, words", [(["a", "b", "c"], 3, "recordings"), (["a"] * 5, 4, "runs of images")])
def test_every_place_is_held_out_once(recordings, count, words):
    frames = [Recorded(name, [Sketch({"k": np.array([float(k)])})]) for k, name in enumerate(recordings)]
    said, cut = folds(frames)
    held = [place for fold in cut for place in fold.unseen]
    assert said == words and len(cut) == count and sorted(held) == list(range(count))
    assert all(not set(fold.known) & set(fold.unseen) and set(fold.known) | set(fold.unseen) == set(range(count)) for fold in cut)
