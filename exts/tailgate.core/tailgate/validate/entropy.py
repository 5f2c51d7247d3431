"""Uncertainty of a model from repeated stochastic passes (MC dropout; Gal & Ghahramani 2016), and which samples are the most uncertain."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tailgate.errors import UserError

EPS = 1e-8
"""Added to a probability inside the logarithm."""


def predictive_entropy(passes: np.ndarray) -> np.ndarray:
    """Entropy of the mean prediction of each sample [nats], float64 [samples]: total uncertainty, 0 .. ln(classes).

    Args:
        passes: softmax outputs [passes, samples, classes].

    Raises:
        UserError: another shape, or rows that are not probabilities.
    """
    return _entropy(_checked(passes).mean(axis=0))


def mutual_information(passes: np.ndarray) -> np.ndarray:
    """What the passes disagree about [nats], float64 [samples]: entropy of the mean less the mean entropy (BALD; Houlsby et al. 2011).

    It is the model's own share of the uncertainty, which more data can remove. Arguments and errors as ``predictive_entropy``.
    """
    passes = _checked(passes)
    return _entropy(passes.mean(axis=0)) - _entropy(passes).mean(axis=0)


@dataclass(frozen=True)
class Selection:
    """The most uncertain samples.

    Attributes:
        threshold: percentile of the entropies, in their unit.
        indices: samples at or above it, ascending, int64; ties with the threshold are all in.
    """

    threshold: float
    indices: np.ndarray


def most_uncertain(entropy: np.ndarray, percentile: float = 95.0) -> Selection:
    """Samples whose entropy [n] is at or above a percentile of all (numpy's linear interpolation).

    Raises:
        UserError: no samples, an entropy that is not finite, or a percentile outside 0..100.
    """
    entropy = np.asarray(entropy, dtype=np.float64)
    if entropy.ndim != 1 or not len(entropy) or not np.isfinite(entropy).all():
        raise UserError(f"entropies must be finite numbers, one a sample, got shape {entropy.shape}")
    if not 0 <= percentile <= 100:
        raise UserError(f"the percentile must lie in 0..100, got {percentile:g}")
    threshold = float(np.percentile(entropy, percentile))
    return Selection(threshold, np.flatnonzero(entropy >= threshold))


def _checked(passes: np.ndarray) -> np.ndarray:
    passes = np.asarray(passes, dtype=np.float64)
    if passes.ndim != 3 or 0 in passes.shape:
        raise UserError(f"softmax outputs must be of shape (passes, samples, classes), got {passes.shape}")
    if not ((passes >= 0).all() and np.allclose(passes.sum(axis=-1), 1.0, atol=1e-3)):
        raise UserError("softmax outputs must be probabilities that sum to 1 over the classes, got other numbers: were these logits?")
    return passes


def _entropy(p: np.ndarray) -> np.ndarray:
    return -np.sum(p * np.log(p + EPS), axis=-1)
