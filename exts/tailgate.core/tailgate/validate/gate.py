"""The batch gate: sensor statistics of a batch against the reference, with limits calibrated real against real."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tailgate.config.budget import Gate
from tailgate.errors import unknown
from tailgate.rng import rng
from tailgate.validate.class_gate import ClassGate
from tailgate.validate.controls import statistic_control
from tailgate.validate.deviation import frame_deviation
from tailgate.validate.ratio import DistanceRatio, distance_ratio
from tailgate.validate.scorecard import Null, Row, Scorecard
from tailgate.validate.sketch import Sketch, Statistic

__all__ = ["BatchGate", "ClassGate", "DistanceRatio", "distance_ratio", "frame_deviation", "w1_rows"]

DRAWS = 400
"""Pseudo-batches of real blocks behind every limit."""
MIN_BLOCKS = 4
"""Fewest real blocks from which a null can be drawn."""
POWER = 0.95
"""Share of negative controls a statistic must reject to gate."""


def w1_rows(p: np.ndarray, q: np.ndarray, edges: Sequence[float]) -> np.ndarray:
    """``sketch.w1`` of many histograms at once: counts [..., B] on both sides (broadcast), distances [...] in the unit of the edges; NaN if empty."""
    with np.errstate(invalid="ignore", divide="ignore"):
        gap = np.cumsum(p, axis=-1) / p.sum(axis=-1, keepdims=True) - np.cumsum(q, axis=-1) / q.sum(axis=-1, keepdims=True)
    before = np.concatenate([np.zeros_like(gap[..., :1]), gap[..., :-1]], axis=-1)
    low, high = np.abs(before), np.abs(gap)
    triangles = (low**2 + high**2) / np.maximum(2 * (low + high), 1e-300)
    return np.sum(np.where(np.sign(before) * np.sign(gap) < 0, triangles, 0.5 * (low + high)) * np.diff(edges), axis=-1)


def _stratum_distances(statistic: Statistic, batch: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """W1 per stratum of batch [D, S, B] and reference [D or 1, S, B]: [D, S], NaN where either side holds fewer than ``min_count`` values."""
    smaller = np.minimum(batch.sum(axis=-1), reference.sum(axis=-1))
    return np.where(smaller >= statistic.min_count, w1_rows(batch, reference, statistic.edges), np.nan)


def _weighted(strata: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Weighted mean over the judged strata [D, S] -> [D]; NaN where none is judged."""
    weight = np.where(np.isfinite(strata), weights, 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.nansum(strata * weight, axis=-1) / weight.sum(axis=-1)


@dataclass(frozen=True)
class _Calibration:
    """Nulls at one batch size, and what follows from them: weights and null of each stratum, null and power of each statistic, the joint limit."""

    weights: dict[str, np.ndarray]
    strata: dict[str, list[Null | None]]
    null: dict[str, Null]
    power: dict[str, float]
    joint: float

    def limit(self, name: str) -> float:
        """The joint limit in the unit of one statistic."""
        return self.null[name].median + self.joint * _scale(self.null[name])


def _scale(null: Null) -> float:
    """Unit of the standardized statistic: q95 - median of the null, at least 1 % of the median."""
    return max(null.q95 - null.median, 0.01 * abs(null.median), 1e-12)


class BatchGate:
    """Judges the summed sketch of a batch.

    The null: pseudo-batches of as many real blocks as the batch has data, drawn with replacement from as many random groups as hold so many (at most
    half of the groups), against all other groups; with a single group, from a random half of its blocks against the other half. A statistic's value
    is the mean of W1 over its judged strata, weighted by the effect of the negative control over the squared q95 of the stratum's null (the weights
    that separate the control best from real data), so that strata in which real places differ, or in which little can go wrong, count little. It is
    standardized by its null, (x - median) / (q95 - median); one joint limit, the q95 of the largest standardized value over the gating statistics,
    holds the share of real batches that are rejected at 5 %. It is widened by √(1 + 1/G) for G groups, as an interval for a new group is whose spread
    comes from G others. A statistic gates only if at least 95 % of pseudo-batches are rejected once they are
    turned into its negative control. A limit in ``cfg.statistics`` replaces the calibrated one and gates on its own.

    Args:
        blocks: group -> sketches of its place blocks.
        statistics: name -> what it counts.
        cfg: the budget's gate.
        seed: of the bootstrap.

    Raises:
        UserError: ``cfg.statistics`` names a statistic that does not exist.
    """

    def __init__(self, blocks: Mapping[str, Sequence[Sketch]], statistics: Mapping[str, Statistic], cfg: Gate, seed: int = 0):
        for name in cfg.statistics:
            if name not in statistics:
                raise unknown("statistic in gate.statistics", name, statistics)
        self.cfg, self.seed = cfg, seed
        groups = sorted(g for g in blocks if blocks[g])
        members = [block for g in groups for block in blocks[g]]
        self._group = np.repeat(np.arange(len(groups)), [len(blocks[g]) for g in groups])
        held = Sketch.total(members).counts
        self.statistics = {n: s for n, s in statistics.items() if n in held}
        self._counts = {n: np.stack([np.broadcast_to(b.counts.get(n, 0.0), s.shape) for b in members]) for n, s in self.statistics.items()}
        self._calibrations: dict[int, _Calibration | None] = {}

    def judge(self, sketch: Sketch, modality: str = "") -> Scorecard:
        """Rows per statistic and stratum, and the verdict ``accepted`` or ``rejected``; reason codes are names of statistics.

        Args:
            sketch: sum over the batch.
            modality: written into the rows.
        """
        calibration = self.calibration(self._size(sketch))
        card, standardized = Scorecard(), {}
        for name, statistic in self.statistics.items():
            batch = np.broadcast_to(sketch.counts.get(name, 0.0), statistic.shape)
            reference = self._counts[name].sum(axis=0)
            strata = _stratum_distances(statistic, batch[None], reference[None])
            weights = calibration.weights[name] if calibration else reference.sum(axis=1)
            row = self._row(name, float(_weighted(strata, weights)[0]), int(batch.sum()), calibration, modality)
            card.rows.append(row)
            if row.value is not None and calibration and name in calibration.null:
                standardized[name] = (row.value - calibration.null[name].median) / _scale(calibration.null[name])
            card.extend(self._stratum_rows(name, strata[0], batch.sum(axis=1), calibration, modality))
        gating = {r.metric for r in card.rows if r.gates} & set(standardized)
        if calibration and gating:
            worst = max(sorted(gating), key=standardized.__getitem__)
            note = f"largest standardized statistic over {', '.join(sorted(gating))}: {worst}"
            card.rows.append(Row("joint", standardized[worst], "1", modality, limit=calibration.joint, n=1, verdict="ok", note=note))
        if not any(r.gates for r in card.rows) and self.cfg.unjudged == "hold":
            note = "nothing could be judged, and gate.unjudged is hold"
            card.rows.append(Row("unjudged", None, modality=modality, gates=True, verdict="failed", note=note))
        card.verdict = "rejected" if card.failed() else "accepted"
        return card

    def calibration(self, size: int) -> _Calibration | None:
        """Null, power and joint limit for pseudo-batches of ``size`` blocks; None without enough real blocks."""
        if size not in self._calibrations:
            self._calibrations[size] = self._calibrate(size) if len(self._group) >= MIN_BLOCKS and self.statistics else None
        return self._calibrations[size]

    def _size(self, sketch: Sketch) -> int:
        """Real blocks that hold as much data as the batch, rounded down to half octaves so that few calibrations serve all batches."""
        ratios = [np.sum(sketch.counts.get(n, 0.0)) / max(c.sum() / len(c), 1.0) for n, c in self._counts.items()]
        octaves = np.floor(2 * np.log2(max(np.median(ratios), 1.0))) / 2 if ratios else 0.0
        return int(2 ** min(octaves, 10.0))

    def _draw(self, size: int) -> tuple[np.ndarray, np.ndarray]:
        """Multiplicity of each block in the pseudo-batches and in their references, float64 [DRAWS, blocks]."""
        generator = rng(self.seed, "", 0, 0, 0, "validate.batch_gate", size)
        blocks, held = len(self._group), np.bincount(self._group)
        batch, reference = np.zeros((2, DRAWS, blocks))
        for d in range(DRAWS):
            if len(held) > 1:
                order = generator.permutation(len(held))
                wanted = int(np.searchsorted(np.cumsum(held[order]), size)) + 1
                inside = np.isin(self._group, order[: min(wanted, len(held) // 2)])
            else:
                inside = np.zeros(blocks, dtype=bool)
                inside[generator.permutation(blocks)[: blocks // 2]] = True
            batch[d] = np.bincount(generator.choice(np.flatnonzero(inside), size), minlength=blocks)
            reference[d, ~inside] = 1.0
        return batch, reference

    def _calibrate(self, size: int) -> _Calibration:
        batch, reference = self._draw(size)
        weights, strata, null, z, z_control = {}, {}, {}, {}, {}
        for name, statistic in self.statistics.items():
            flat = self._counts[name].reshape(len(self._group), -1)
            drawn, against = ((w @ flat).reshape(DRAWS, *statistic.shape) for w in (batch, reference))
            found = _stratum_distances(statistic, drawn, against)
            strata[name] = [Null.of(v[np.isfinite(v)]) if np.isfinite(v).mean() >= 0.5 else None for v in found.T]
            found_wrong = _stratum_distances(statistic, drawn @ statistic_control(statistic)[1], against)
            weights[name] = _stratum_weights(strata[name], found_wrong)
            values = _weighted(found, weights[name])
            if np.isfinite(values).mean() < 0.5:
                continue
            null[name] = Null.of(values[np.isfinite(values)])
            wrong = _weighted(found_wrong, weights[name])
            z[name], z_control[name] = ((x - null[name].median) / _scale(null[name]) for x in (values, wrong))
        widening = float(np.sqrt(1.0 + 1.0 / (self._group.max() + 1)))
        joint = widening * _joint_limit(list(z.values()))
        power = {n: float(np.mean(v[np.isfinite(v)] > joint)) for n, v in z_control.items()}
        return _Calibration(weights, strata, null, power, widening * _joint_limit([z[n] for n in z if power[n] >= POWER]))

    def _row(self, name: str, value: float, n: int, calibration: _Calibration | None, modality: str) -> Row:
        statistic, override = self.statistics[name], self.cfg.statistics.get(name)
        null = calibration.null.get(name) if calibration else None
        base = dict(metric=name, value=value if np.isfinite(value) else None, unit=statistic.unit, modality=modality, n=n, null=null)
        if not np.isfinite(value):
            return Row(**base, note=f"no stratum holds {statistic.min_count} values on both sides")
        if override is not None:
            return Row(**base, limit=override, gates=True, verdict="failed" if value > override else "ok", note="limit set by the budget")
        if null is None:
            return Row(**base, note="too little real data for a real-against-real null")
        limit, control = calibration.limit(name), statistic_control(statistic)[0]
        if calibration.power[name] < POWER:
            return Row(**base, limit=limit, verdict="no power", note=f"rejects only {calibration.power[name]:.0%} of the control '{control}'")
        note = f"joint limit; rejects {calibration.power[name]:.0%} of the control '{control}'"
        return Row(**base, limit=limit, gates=True, verdict="failed" if value > limit else "ok", note=note)

    def _stratum_rows(self, name: str, values: np.ndarray, n: np.ndarray, calibration: _Calibration | None, modality: str) -> list[Row]:
        rows = []
        for i, stratum in enumerate(self.statistics[name].strata):
            null = calibration.strata[name][i] if calibration else None
            value = float(values[i]) if np.isfinite(values[i]) else None
            judged = value is not None and null is not None
            verdict = ("failed" if value > null.q95 else "ok") if judged else "unjudged"
            limit = null.q95 if null else None
            rows.append(Row(name, value, self.statistics[name].unit, modality, "", stratum, int(n[i]), limit, null, False, verdict))
        return rows


def _stratum_weights(nulls: list[Null | None], control: np.ndarray) -> np.ndarray:
    """Effect of the control [D, S] over the squared q95 of the null [S]; equal weights where it has no effect, 0 for a stratum without a null."""
    judged = np.array([n is not None and bool(np.isfinite(control[:, i]).any()) for i, n in enumerate(nulls)])
    if not judged.any():
        return np.zeros(len(nulls))
    median, q95 = (np.array([getattr(n, name) if n else 0.0 for n in nulls]) for name in ("median", "q95"))
    effect = np.zeros(len(nulls))
    effect[judged] = np.maximum(np.nanmedian(control[:, judged], axis=0) - median[judged], 0.0)
    weights = np.where(judged, effect / np.maximum(q95, max(1e-3 * float(q95.max()), 1e-12)) ** 2, 0.0)
    return weights if weights.any() else judged.astype(float)


def _joint_limit(standardized: list[np.ndarray]) -> float:
    """q95 over draws of the largest standardized statistic; 1 (each statistic's own q95) where there is none."""
    if not standardized:
        return 1.0
    largest = np.max(np.where(np.isfinite(standardized), standardized, -np.inf), axis=0)
    return float(np.quantile(largest[np.isfinite(largest)], 0.95))
