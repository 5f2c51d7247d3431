"""The hold-out guard stops a loop that fools itself, and only that."""

import numpy as np
from tailgate.feedback.guard import Watch, check


def history(feedback, holdout, error=0.05):
    return [Watch(i, f, h, error) for i, (f, h) in enumerate(zip(feedback, holdout, strict=True))]


def test_three_worse_rounds_stop_and_name_the_best():
    alarm = check(history([3.0, 2.0, 1.6, 1.4, 1.2], [3.0, 2.0, 2.3, 2.4, 2.6]))
    assert (alarm.round, alarm.best) == (4, 1)
    assert "went away from the part held back (2.00 → 2.60 ± 0.05)" in alarm.words


def test_two_worse_rounds_do_not():
    assert check(history([3.0, 2.0, 1.6, 1.4], [3.0, 2.0, 2.3, 2.4])) is None
    assert check(history([3.0, 2.0, 1.6], [3.0, 3.5, 4.0])) is None


def test_worse_within_the_error_does_not():
    assert check(history([3.0, 2.0, 1.6, 1.4, 1.2], [3.0, 2.0, 2.3, 2.4, 2.6], error=0.25)) is None


def test_both_parts_worse_is_not_over_fitting():
    assert check(history([3.0, 2.0, 2.5, 2.6, 2.7], [3.0, 2.0, 2.5, 2.6, 2.7])) is None


def test_false_alarms_are_rare():
    """A loop that has converged on both parts: 1,000 runs of eight rounds that differ by their error alone."""
    rng = np.random.default_rng(5)
    alarms = 0
    for _ in range(1000):
        noise = rng.normal(0, 0.05, (2, 8))
        alarms += any(check(history(1.0 + noise[0, :n], 1.0 + noise[1, :n])) is not None for n in range(4, 9))
    assert alarms <= 20
