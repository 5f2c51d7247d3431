import math

import numpy as np
import pytest
from pydantic import TypeAdapter, ValidationError
from tailgate.distributions import Choice, Conditional, Constant, Distribution, Joint, LogRanged, Ranged, divergence
from tailgate.rng import rng

N = 20_000


def draws(dist, n=N, given=None):
    generator = rng(1, "s", 0, 0, 0, "test")
    return [dist.sample(generator, given) for _ in range(n)]


def test_ranged_is_uniform_by_default():
    x = np.array(draws(Ranged(low=2, high=6)))
    assert x.min() >= 2 and x.max() <= 6
    assert abs(x.mean() - 4) < 4 * 4 / math.sqrt(12 * N)
    assert abs(x.var() - 16 / 12) < 0.05


@pytest.mark.parametrize("dist", [Ranged(low=-1, high=3, alpha=2, beta=5), LogRanged(low=0.01, high=10, alpha=3, beta=2)])
def test_density_integrates_to_one(dist):
    x = np.linspace(dist.low, dist.high, 200_001) if dist.kind == "ranged" else np.geomspace(dist.low, dist.high, 200_001)
    p = np.exp([dist.log_prob(float(v)) for v in x])
    assert np.sum(0.5 * (p[1:] + p[:-1]) * np.diff(x)) == pytest.approx(1, abs=1e-3)
    assert dist.log_prob(dist.high * 1.01) == -math.inf


def test_fit_recovers_moments():
    truth = Ranged(low=0, high=10, alpha=4, beta=8)
    fitted = Ranged(low=0, high=10).fit(draws(truth))
    assert fitted.mean == pytest.approx(truth.mean, rel=0.02)
    assert fitted.spread == pytest.approx(truth.spread, rel=0.03)


def test_width_shrinks_from_one():
    assert Ranged(low=0, high=1).width == pytest.approx(1)
    assert Ranged(low=0, high=1).with_moments(0.5, 0.05).width == pytest.approx(0.05 * math.sqrt(12), rel=1e-6)
    assert Constant(value=3).width == 0
    assert Choice(values=("a", "b"), weights=(1, 0)).width == pytest.approx(0)


def test_choice_follows_its_weights():
    dist = Choice(values=("a", "b", "c"), weights=(1, 2, 1))
    x = draws(dist)
    assert x.count("b") / N == pytest.approx(0.5, abs=0.015)
    assert math.exp(dist.log_prob("b")) == pytest.approx(0.5)
    assert dist.fit(x).probabilities == pytest.approx([0.25, 0.5, 0.25], abs=0.015)


def test_conditional_needs_its_parent():
    dist = Conditional(parent="weather", cases={"rain": Constant(value=1.0)}, default=Ranged(low=0, high=0.5))
    assert set(draws(dist, 10, {"weather": "rain"})) == {1.0}
    assert max(draws(dist, 100, {"weather": "clear"})) <= 0.5
    with pytest.raises(KeyError, match="weather"):
        draws(dist, 1, {})


def test_joint_has_the_asked_correlation():
    dist = Joint(marginals={"a": Ranged(low=0, high=1), "b": Ranged(low=0, high=10, alpha=2, beta=2)}, correlation=((1, 0.8), (0.8, 1)))
    x = np.array([[d["a"], d["b"]] for d in draws(dist, 5000)])
    assert np.corrcoef(x.T)[0, 1] == pytest.approx(6 / math.pi * math.asin(0.4), abs=0.03)
    again = dist.fit([{"a": a, "b": b} for a, b in x])
    assert again.correlation[0][1] == pytest.approx(0.8, abs=0.05)


def test_divergence_of_betas_matches_the_closed_form():
    # KL(Beta(2,1) || Beta(1,1)) = ln 2 - 1/2
    assert divergence(Ranged(low=0, high=1, alpha=2, beta=1), Ranged(low=0, high=1)) == pytest.approx(math.log(2) - 0.5, abs=1e-5)
    assert divergence(Ranged(low=0, high=1), Ranged(low=0, high=1)) == 0


def test_round_trip_and_refusals():
    read = TypeAdapter(Distribution).validate_python
    for dist in (Constant(value=True), Ranged(low=0, high=1, unit="m"), Choice(values=(1, 2))):
        assert read(dist.model_dump(mode="json")) == dist
    for bad in ({"kind": "ranged", "low": 1, "high": 0}, {"kind": "log_ranged", "low": 0, "high": 1}, {"kind": "choice", "values": []}):
        with pytest.raises(ValidationError):
            read(bad)
    with pytest.raises(ValidationError):
        read({"kind": "ranged", "low": math.nan, "high": 1})
