"""The closed set of distributions a setting may have: data, not callables.

Every distribution knows its unit and bounds, draws from a given generator, gives the log-density of a value, refits itself to weighted values
and tells how wide it still is. Values are JSON-able.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

Value = float | int | bool | str
_SHAPE_LIMIT = 5e3
"""Largest Beta shape parameter that ``fit`` returns: a spread of about 0.7 % of the bounds."""


class _Distribution(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
    unit: str = ""

    def sample(self, rng: np.random.Generator, given: Mapping[str, Value] | None = None) -> Value:
        """Draw one value; ``given`` holds the values of parents by name."""
        raise TypeError(f"{type(self).__name__} draws no single value")


class Constant(_Distribution):
    """Always the same value."""

    kind: Literal["constant"] = "constant"
    value: Value

    def sample(self, rng: np.random.Generator, given: Mapping[str, Value] | None = None) -> Value:
        """Return the value; consumes nothing from ``rng``."""
        return self.value

    def log_prob(self, value: Value, given: Mapping[str, Value] | None = None) -> float:
        """0 at the value, -inf elsewhere."""
        return 0.0 if value == self.value else -math.inf

    def fit(self, values: Sequence[Value], weights: Sequence[float] | None = None) -> Constant:
        """A constant does not learn."""
        return self

    @property
    def width(self) -> float:
        """0: no freedom."""
        return 0.0


class Ranged(_Distribution):
    """A Beta(alpha, beta) stretched onto hard bounds [low, high]; uniform when alpha = beta = 1."""

    kind: Literal["ranged"] = "ranged"
    low: float
    high: float
    alpha: float = Field(1.0, gt=0, le=_SHAPE_LIMIT)
    beta: float = Field(1.0, gt=0, le=_SHAPE_LIMIT)

    @model_validator(mode="after")
    def _ordered(self) -> Ranged:
        if not self.low < self.high:
            raise ValueError(f"low must be below high, got low={self.low}, high={self.high}")
        return self

    def _unit_interval(self, value: float) -> float:
        return (value - self.low) / (self.high - self.low)

    def _from_unit(self, u: float) -> float:
        return self.low + u * (self.high - self.low)

    def _log_jacobian(self, value: float) -> float:
        return -math.log(self.high - self.low)

    def sample(self, rng: np.random.Generator, given: Mapping[str, Value] | None = None) -> float:
        """Draw one value in [low, high]."""
        return float(self._from_unit(float(rng.beta(self.alpha, self.beta))))

    def log_prob(self, value: float, given: Mapping[str, Value] | None = None) -> float:
        """Natural log of the density [1/unit] at ``value``; -inf outside the bounds."""
        u = self._unit_interval(value) if self.low <= value <= self.high else -1.0
        if not 0.0 <= u <= 1.0:
            return -math.inf
        a, b = self.alpha, self.beta
        u = min(max(u, 1e-12), 1 - 1e-12)
        norm = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)
        return norm + (a - 1) * math.log(u) + (b - 1) * math.log1p(-u) + self._log_jacobian(value)

    def fit(self, values: Sequence[float], weights: Sequence[float] | None = None) -> Ranged:
        """Match the weighted mean and variance inside the bounds (method of moments for the Beta)."""
        u = np.clip([self._unit_interval(v) for v in values], 1e-4, 1 - 1e-4)
        mean = float(np.average(u, weights=weights))
        variance = float(np.average((u - mean) ** 2, weights=weights))
        return self.with_moments(mean, math.sqrt(variance))

    def with_moments(self, mean: float, spread: float) -> Ranged:
        """Return the same bounds with this mean and standard deviation, both as a share of the bounds (0..1)."""
        mean = min(max(mean, 1e-3), 1 - 1e-3)
        total = mean * (1 - mean) / max(spread**2, 1e-9) - 1
        total = min(max(total, 0.5), _SHAPE_LIMIT)
        shape = dict(alpha=max(mean * total, 1e-2), beta=max((1 - mean) * total, 1e-2))
        return self.model_copy(update=shape)

    @property
    def mean_share(self) -> float:
        """Mean as a share of the bounds, 0..1."""
        return self.alpha / (self.alpha + self.beta)

    @property
    def mean(self) -> float:
        """Value at the mean share (the mean itself for a linear scale) [unit]."""
        return self._from_unit(self.mean_share)

    @property
    def spread(self) -> float:
        """Standard deviation as a share of the bounds, 0..0.5."""
        a, b = self.alpha, self.beta
        return math.sqrt(a * b / ((a + b) ** 2 * (a + b + 1)))

    @property
    def width(self) -> float:
        """Width as a share of the bounds: the standard deviation over that of the uniform, at most 1."""
        return min(1.0, self.spread * math.sqrt(12.0))


class LogRanged(Ranged):
    """As Ranged, on the logarithm of the value; bounds must be positive."""

    kind: Literal["log_ranged"] = "log_ranged"
    low: float = Field(gt=0)

    def _unit_interval(self, value: float) -> float:
        return math.log(value / self.low) / math.log(self.high / self.low)

    def _from_unit(self, u: float) -> float:
        return self.low * math.exp(u * math.log(self.high / self.low))

    def _log_jacobian(self, value: float) -> float:
        return -math.log(value * math.log(self.high / self.low))


class Choice(_Distribution):
    """One of a list, with weights (equal by default)."""

    kind: Literal["choice"] = "choice"
    values: tuple[Value, ...] = Field(min_length=1)
    weights: tuple[Annotated[float, Field(ge=0)], ...] | None = None

    @model_validator(mode="after")
    def _weighed(self) -> Choice:
        if len(set(self.values)) != len(self.values):
            raise ValueError(f"values must differ, got {list(self.values)}")
        if self.weights is not None and (len(self.weights) != len(self.values) or sum(self.weights) <= 0):
            raise ValueError(f"weights must be one non-negative number per value with a positive sum, got {list(self.weights)}")
        return self

    @property
    def probabilities(self) -> np.ndarray:
        """Probability of each value, shape [len(values)]."""
        w = np.asarray(self.weights if self.weights is not None else [1.0] * len(self.values), dtype=float)
        return w / w.sum()

    def sample(self, rng: np.random.Generator, given: Mapping[str, Value] | None = None) -> Value:
        """Draw one of the values."""
        return self.values[min(int(np.searchsorted(np.cumsum(self.probabilities), rng.random(), side="right")), len(self.values) - 1)]

    def log_prob(self, value: Value, given: Mapping[str, Value] | None = None) -> float:
        """Natural log of the probability of ``value``."""
        if value not in self.values:
            return -math.inf
        p = float(self.probabilities[self.values.index(value)])
        return math.log(p) if p > 0 else -math.inf

    def fit(self, values: Sequence[Value], weights: Sequence[float] | None = None) -> Choice:
        """Weighted frequencies, with one pseudo-count spread over all values."""
        w = np.ones(len(values)) if weights is None else np.asarray(weights, dtype=float)
        mass = [float(sum(wi for v, wi in zip(values, w, strict=True) if v == c)) + 1 / len(self.values) for c in self.values]
        return self.model_copy(update={"weights": tuple(mass)})

    @property
    def width(self) -> float:
        """Entropy over that of equal weights, 0..1 (1 for a single value: nothing was narrowed)."""
        p = self.probabilities
        if len(p) == 1:
            return 1.0
        return float(-(p[p > 0] * np.log(p[p > 0])).sum() / math.log(len(p)))


Simple = Annotated[Constant | Ranged | LogRanged | Choice, Field(discriminator="kind")]


class Conditional(_Distribution):
    """A distribution chosen by the value of a parent drawn at a higher level (a wet road given rain)."""

    kind: Literal["conditional"] = "conditional"
    parent: str
    cases: dict[str, Simple] = Field(min_length=1)
    default: Simple | None = None

    def case(self, given: Mapping[str, Value] | None) -> Simple:
        """Return the distribution for the parent's value in ``given``."""
        if given is None or self.parent not in given:
            raise KeyError(f"a conditional setting needs the value of its parent '{self.parent}', which was not drawn above it")
        found = self.cases.get(str(given[self.parent]), self.default)
        if found is None:
            raise KeyError(f"no case for {self.parent}={given[self.parent]!r} and no default")
        return found

    def sample(self, rng: np.random.Generator, given: Mapping[str, Value] | None = None) -> Value:
        """Draw from the case of the parent's value."""
        return self.case(given).sample(rng)

    def log_prob(self, value: Value, given: Mapping[str, Value] | None = None) -> float:
        """Log-density within the case of the parent's value."""
        return self.case(given).log_prob(value)

    def fit(self, values: Sequence[Value], weights: Sequence[float] | None = None) -> Conditional:
        """Not refitted as a whole: its cases are settings of their own."""
        return self

    @property
    def width(self) -> float:
        """Mean width of the cases."""
        return float(np.mean([c.width for c in self.cases.values()]))


class Joint(_Distribution):
    """A Gaussian copula over named marginals: correlated draws with any marginal (Nelsen 2006, ch. 2)."""

    kind: Literal["joint"] = "joint"
    marginals: dict[str, Annotated[Ranged | LogRanged, Field(discriminator="kind")]] = Field(min_length=2)
    correlation: tuple[tuple[float, ...], ...]

    @model_validator(mode="after")
    def _positive_definite(self) -> Joint:
        c = np.asarray(self.correlation, dtype=float)
        n = len(self.marginals)
        if c.shape != (n, n) or not np.allclose(c, c.T) or not np.allclose(np.diag(c), 1) or np.linalg.eigvalsh(c).min() < 1e-9:
            raise ValueError(f"correlation must be a {n}x{n} symmetric positive definite matrix with a unit diagonal")
        return self

    def sample(self, rng: np.random.Generator, given: Mapping[str, Value] | None = None) -> dict[str, float]:
        """Draw one value per marginal, as a dict by name. Uniform marginals are exact; others use 4,096-knot quantiles."""
        z = np.linalg.cholesky(np.asarray(self.correlation)) @ rng.standard_normal(len(self.marginals))
        u = [0.5 * math.erfc(-zi / math.sqrt(2)) for zi in z]
        return {name: m._from_unit(_beta_quantile(m.alpha, m.beta, ui)) for (name, m), ui in zip(self.marginals.items(), u, strict=True)}

    def log_prob(self, value: Mapping[str, float], given: Mapping[str, Value] | None = None) -> float:
        """Log-density of a dict of values."""
        c = np.asarray(self.correlation)
        u = np.clip([_beta_cdf(m.alpha, m.beta, m._unit_interval(value[n])) for n, m in self.marginals.items()], 1e-9, 1 - 1e-9)
        z = np.array([_normal_quantile(ui) for ui in u])
        copula = -0.5 * (np.linalg.slogdet(c)[1] + z @ (np.linalg.inv(c) - np.eye(len(z))) @ z)
        return float(copula + sum(m.log_prob(value[n]) for n, m in self.marginals.items()))

    def fit(self, values: Sequence[Mapping[str, float]], weights: Sequence[float] | None = None) -> Joint:
        """Refit every marginal and the correlation of the normal scores."""
        marginals = {n: m.fit([v[n] for v in values], weights) for n, m in self.marginals.items()}
        z = np.array([[_normal_quantile(_beta_cdf(m.alpha, m.beta, m._unit_interval(v[n]))) for n, m in marginals.items()] for v in values])
        c = np.cov(z.T, aweights=weights)
        c = c / np.sqrt(np.outer(np.diag(c), np.diag(c))) * 0.999 + np.eye(len(marginals)) * 0.001
        return self.model_copy(update={"marginals": marginals, "correlation": tuple(map(tuple, c.tolist()))})

    @property
    def width(self) -> float:
        """Smallest width among the marginals."""
        return min(m.width for m in self.marginals.values())


def _beta_table(alpha: float, beta: float) -> tuple[np.ndarray, np.ndarray]:
    u = (np.arange(4096) + 0.5) / 4096
    log_p = (alpha - 1) * np.log(u) + (beta - 1) * np.log1p(-u)
    mass = np.exp(log_p - log_p.max())
    return np.concatenate([[0.0], u + 0.5 / 4096]), np.concatenate([[0.0], np.cumsum(mass) / mass.sum()])


def _beta_cdf(alpha: float, beta: float, u: float) -> float:
    x, c = _beta_table(alpha, beta)
    return float(np.interp(u, x, c))


def _beta_quantile(alpha: float, beta: float, p: float) -> float:
    x, c = _beta_table(alpha, beta)
    return float(np.interp(p, c, x))


def _normal_quantile(p: float) -> float:
    from statistics import NormalDist

    return NormalDist().inv_cdf(min(max(p, 1e-9), 1 - 1e-9))


Distribution = Annotated[Constant | Ranged | LogRanged | Choice | Conditional | Joint, Field(discriminator="kind")]


def divergence(new: Any, old: Any) -> float:
    """KL(new‖old) [nats] of two distributions of one kind and the same bounds, by quadrature on 2,048 knots."""
    if isinstance(new, Choice):
        p, q = new.probabilities, old.probabilities
        return float(sum(pi * math.log(pi / max(qi, 1e-12)) for pi, qi in zip(p, q, strict=True) if pi > 0))
    if isinstance(new, Ranged):
        u = (np.arange(2048) + 0.5) / 2048

        def log_density(d: Ranged) -> np.ndarray:
            norm = math.lgamma(d.alpha + d.beta) - math.lgamma(d.alpha) - math.lgamma(d.beta)
            return norm + (d.alpha - 1) * np.log(u) + (d.beta - 1) * np.log1p(-u)

        lp, lq = log_density(new), log_density(old)
        p = np.exp(lp)
        return float(np.sum(p * (lp - lq)) / np.sum(p))
    return 0.0
