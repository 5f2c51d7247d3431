"""Jensen-Shannon divergence of feature distributions, per class, in nats (Lin 1991): 0 for equal ones, ln 2 for disjoint ones.

``norm`` compares histograms of the features' L2 norms (50 bins over the range of both sides, eps on the raw counts); ``sliced`` compares
projections onto random directions, because a norm hides direction. Small samples bias both upwards: judge them against a null of the same size.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from tailgate.errors import UserError
from tailgate.geometry.quiet import wp

wp.set_module_options({"enable_backward": False})

BINS = 50
EPS = 1e-8
MAX_JS = float(np.log(2.0))
"""Bound of the divergence [nats], and the score of a class that one side lacks."""
_CUDA_THREADS = 1024
_LANES = 16
_row = wp.types.vector(length=_LANES, dtype=wp.float32)


@wp.func
def _sum(v: _row):
    low = ((v[0] + v[1]) + (v[2] + v[3])) + ((v[4] + v[5]) + (v[6] + v[7]))
    return low + (((v[8] + v[9]) + (v[10] + v[11])) + ((v[12] + v[13]) + (v[14] + v[15])))


@wp.kernel
def _norms(
    features: wp.array2d(dtype=_row),
    classes: wp.array(dtype=wp.int32),
    chunk: int,
    norm: wp.array(dtype=wp.float32),
    low: wp.array2d(dtype=wp.float32),
    high: wp.array2d(dtype=wp.float32),
    bad: wp.array(dtype=wp.int32),
):
    """Norm of each row, and per thread the range of each class's norms: private to the thread, merged on the host. ``bad`` tells of NaN and infinity:
    what is not finite less itself is NaN, and stays so in a sum."""
    t = wp.tid()
    wrong = wp.float32(0.0)
    for i in range(t * chunk, wp.min((t + 1) * chunk, features.shape[0])):
        total = _row(0.0)
        for k in range(features.shape[1]):
            f = features[i, k]
            total = total + wp.cw_mul(f, f)
        value = wp.sqrt(_sum(total))
        norm[i] = value
        wrong += value - value
        c = classes[i]
        if value < low[t, c]:
            low[t, c] = value
        if value > high[t, c]:
            high[t, c] = value
    if wrong != 0.0:
        bad[t] = 1


@wp.kernel
def _histograms(
    norm: wp.array(dtype=wp.float32),
    classes: wp.array(dtype=wp.int32),
    chunk: int,
    span: wp.array(dtype=wp.vec2),
    bins: int,
    counts: wp.array2d(dtype=wp.int32),
):
    """Histogram of each class's norms, one private copy per thread: no atomics, so equal on every device. ``span``: where a class's range starts,
    and bins per unit."""
    t = wp.tid()
    for i in range(t * chunk, wp.min((t + 1) * chunk, norm.shape[0])):
        c = classes[i]
        s = span[c]
        place = c * bins + wp.min(int((norm[i] - s[0]) * s[1]), bins - 1)
        counts[t, place] = counts[t, place] + 1


@dataclass(frozen=True)
class ClassDivergence:
    """norm-JS of each class.

    Attributes:
        values: [C] nats; MAX_JS where exactly one side has the class, NaN where neither has.
        real, synthetic: samples per class, int64 [C].
    """

    values: np.ndarray
    real: np.ndarray
    synthetic: np.ndarray

    @property
    def absent(self) -> list[int]:
        """Classes the synthetic side lacks: they fail."""
        return [int(c) for c in np.flatnonzero((self.real > 0) & (self.synthetic == 0))]

def js_of_counts(p: np.ndarray, q: np.ndarray, eps: float = EPS) -> np.ndarray:
    """JS [nats] of histograms along the last axis, [..., B] -> [...]; ``eps`` is added to every count (not to probabilities)."""
    p, q = (np.asarray(h, dtype=np.float64) + eps for h in (p, q))
    p, q = p / p.sum(axis=-1, keepdims=True), q / q.sum(axis=-1, keepdims=True)
    m = 0.5 * (p + q)
    return np.maximum(0.5 * np.sum(p * np.log(p / m) + q * np.log(q / m), axis=-1), 0.0)


def js_norm(real: np.ndarray, synthetic: np.ndarray, device: str = "cpu") -> float:
    """norm-JS of two sets of features [n, D] and [m, D], in nats.

    Raises:
        UserError: an empty side, NaN or infinity, or another width.
    """
    sides = [np.asarray(s) for s in (real, synthetic)]
    for name, side in zip(("real features", "synthetic features"), sides, strict=True):
        if side.ndim == 2 and len(side) == 0:
            raise UserError(f"{name} must hold at least one sample, got none")
    return float(js_norm_by_class(*[x for s in sides for x in (s, np.zeros(len(s), np.int32))], 1, device).values[0])


def js_norm_by_class(
    real: np.ndarray, real_class: np.ndarray, synthetic: np.ndarray, synthetic_class: np.ndarray, classes: int, device: str = "cpu"
) -> ClassDivergence:
    """norm-JS per class; each class has its own range of norms.

    Args:
        real, synthetic: features [n, D] and [m, D], finite; computed in float32.
        real_class, synthetic_class: class of each row, 0 .. classes - 1.
        classes: number of classes C.
        device: "cpu" or "cuda:0".

    Raises:
        UserError: NaN or infinity, another width on the two sides, or a class index out of range.
    """
    sides = [_Side(name, f, c, classes, device) for name, f, c in (("real", real, real_class), ("synthetic", synthetic, synthetic_class))]
    if sides[0].width != sides[1].width:
        raise UserError(f"real and synthetic features must be equally wide, got {sides[0].width} and {sides[1].width}")
    low, high = np.minimum(sides[0].low, sides[1].low), np.maximum(sides[0].high, sides[1].high)
    counts = [s.histogram(*_range(low, high)) for s in sides]
    return _divergence(*counts)


def _range(low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Range per class; a range of no width is widened by 1 on both sides."""
    flat = ~(high > low)
    return np.where(flat, np.where(np.isfinite(low), low, 0.0) - 1.0, low), np.where(flat, np.where(np.isfinite(high), high, 0.0) + 1.0, high)


def _divergence(real: np.ndarray, synthetic: np.ndarray) -> ClassDivergence:
    n, m = real.sum(axis=1), synthetic.sum(axis=1)
    values = np.where((n > 0) & (m > 0), js_of_counts(real, synthetic), MAX_JS)
    return ClassDivergence(np.where((n > 0) | (m > 0), values, np.nan), n, m)


def _check(name: str, features: np.ndarray, classes: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    features, classes = np.asarray(features), np.asarray(classes)
    if features.ndim != 2 or features.shape[1] == 0 or classes.shape != (len(features),):
        raise UserError(f"{name} features must be of shape (n, D) with one class per row, got {features.shape} and {classes.shape}")
    if len(classes) and (classes.min() < 0 or classes.max() >= count):
        raise UserError(f"{name} classes must lie in 0..{count - 1}, got {int(classes.min())}..{int(classes.max())}")
    return features, classes


class _Side:
    """Features of one side on the device, with their norms and the range of each class."""

    def __init__(self, name: str, features: np.ndarray, classes: np.ndarray, count: int, device: str):
        features, classes = _check(name, features, classes, count)
        n, self.width = features.shape
        rows = np.ascontiguousarray(features, dtype=np.float32)
        if self.width % _LANES:
            rows = np.pad(rows, ((0, 0), (0, -self.width % _LANES)))
        self.count, self.device = count, device
        self.threads = max(1, min(n, _CUDA_THREADS)) if wp.get_device(device).is_cuda else 1
        self.chunk = -(-n // self.threads)
        self.classes = wp.array(np.ascontiguousarray(classes, dtype=np.int32), dtype=wp.int32, device=device, copy=False)
        self.norm = wp.empty(n, dtype=wp.float32, device=device)
        low = wp.full((self.threads, count), np.float32(np.inf), dtype=wp.float32, device=device)
        high = wp.full((self.threads, count), np.float32(-np.inf), dtype=wp.float32, device=device)
        bad = wp.zeros(self.threads, dtype=wp.int32, device=device)
        if n:
            held = wp.array(rows.reshape(n, -1, _LANES), dtype=_row, device=device, copy=False)
            wp.launch(_norms, self.threads, [held, self.classes, self.chunk, self.norm, low, high, bad], device=device)
        if bad.numpy().any():
            wrong = int(np.sum(~np.isfinite(self.norm.numpy())))
            raise UserError(f"{name} features must be finite, got NaN or infinity in {wrong} of {n} rows")
        self.low, self.high = low.numpy().min(axis=0), high.numpy().max(axis=0)

    def histogram(self, low: np.ndarray, high: np.ndarray) -> np.ndarray:
        """Counts per class and bin, int64 [C, BINS]."""
        counts = wp.zeros((self.threads, self.count * BINS), dtype=wp.int32, device=self.device)
        span = wp.array(np.stack([low, BINS / (high - low)], axis=1).astype(np.float32), dtype=wp.vec2, device=self.device)
        if len(self.classes):
            wp.launch(_histograms, self.threads, [self.norm, self.classes, self.chunk, span, BINS, counts], device=self.device)
        return counts.numpy().sum(axis=0, dtype=np.int64).reshape(self.count, BINS)


def js_norm_by_class_twin(
    real: np.ndarray, real_class: np.ndarray, synthetic: np.ndarray, synthetic_class: np.ndarray, classes: int
) -> ClassDivergence:
    """Readable twin of ``js_norm_by_class``: numpy's own histogram, class after class."""
    norms = [np.linalg.norm(np.asarray(f), axis=1) for f in (real, synthetic)]
    counts = np.zeros((2, classes, BINS), dtype=np.int64)
    for c in range(classes):
        a, b = norms[0][real_class == c], norms[1][synthetic_class == c]
        both = np.concatenate([a, b])
        if len(both):
            low, high = (float(x[0]) for x in _range(np.array([both.min()]), np.array([both.max()])))
            counts[:, c] = [np.histogram(x, bins=BINS, range=(low, high))[0] for x in (a, b)]
    return _divergence(counts[0], counts[1])


def js_sliced(real: np.ndarray, synthetic: np.ndarray, unit: np.ndarray) -> np.ndarray:
    """JS of the projections onto each direction [nats], float64 [K]: 50 bins over the range of both sides, the last bin closed.

    Args:
        real, synthetic: features [n, D] and [m, D], finite.
        unit: unit vectors [K, D].
    """
    sides = [np.asarray(s, dtype=np.float64) for s in (real, synthetic)]
    for name, side in zip(("real features", "synthetic features"), sides, strict=True):
        if side.ndim != 2 or len(side) == 0 or not np.isfinite(side).all():
            raise UserError(f"{name} must be finite and hold at least one sample, got shape {side.shape}")
    return js_projected(*(s @ np.asarray(unit, dtype=np.float64).T for s in sides))


@cache
def _offsets(columns: int) -> np.ndarray:
    return np.arange(columns, dtype=np.int64) * BINS


def js_projected(real: np.ndarray, synthetic: np.ndarray) -> np.ndarray:
    """JS of each column of two samples [n, K] and [m, K], as ``js_sliced``: float64 [K]."""
    low, high = _range(np.minimum(real.min(axis=0), synthetic.min(axis=0)), np.maximum(real.max(axis=0), synthetic.max(axis=0)))
    counts = []
    for side in (real, synthetic):
        bins = np.minimum(((side - low) * (BINS / (high - low))).astype(np.int64), BINS - 1) + _offsets(side.shape[1])
        counts.append(np.bincount(bins.ravel(), minlength=side.shape[1] * BINS).reshape(-1, BINS))
    return js_of_counts(*counts)
