"""The batch gate: sensor statistics of a batch against the reference, with limits calibrated real against real."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from tailgate.config.budget import Gate
from tailgate.config.gate import BatchLimits, GateFile, StatisticGate
from tailgate.errors import unknown
from tailgate.validate.calibration import HELD_OUT, LEVEL, MIN_PLACES, Wrong, calibrate
from tailgate.validate.controls import statistic_control
from tailgate.validate.evidence import MODALITIES
from tailgate.validate.lidar_statistics import SECTORS
from tailgate.validate.places import Places, distance_unit, stratum_distances, weighted
from tailgate.validate.scorecard import Null, Row, Scorecard
from tailgate.validate.sketch import Sketch, Statistic

SPLITS = 60
"""Trials behind a gate that calibrates itself."""
STANDIN = "stand-in"
"""Name of the sketch-level controls, which stand for those on whole frames where no frame was measured again."""


def places_by_modality(blocks: Mapping[str, Sequence[Sketch]], statistics: Mapping[str, Statistic]) -> dict[str, Places]:
    """The places of each modality that the blocks hold; statistics of no known modality form one of their own, named "".

    Args:
        blocks: group -> sketches of its place blocks, in the order of its frames.
        statistics: name -> what it counts.
    """
    modality = {n: m for m, names in MODALITIES.items() for n in names}
    found = {}
    for name in dict.fromkeys(modality.get(n, "") for n in statistics):
        own = {n: s for n, s in statistics.items() if modality.get(n, "") == name}
        places = Places.of(blocks, own, SECTORS if name == "lidar" else 1)
        if len(places):
            found[name] = places
    return found


def sizes(places: Places) -> list[int]:
    """Batch sizes that can be calibrated, in steps of about √2, up to what a third of the places hold; none below MIN_PLACES places."""
    if len(places) < MIN_PLACES:
        return []
    largest = max(len(places) // HELD_OUT, 1) * len(places.place) // len(places)
    steps = sorted({s for k in range(24) for s in (2**k, 3 * 2**k) if s < largest})
    return [*steps, largest]


class BatchGate:
    """Judges the summed sketch of a batch, modality by modality.

    A statistic's value is the mean of its distance over the strata (``places.stratum_distances``), weighted so that strata in which real places
    differ, or in which little can go wrong, count little. Where the null, the joint limit and the power come from: ``validate.calibration``. A
    statistic gates only where at least 95 % of batches are rejected once they are made wrong: by negative controls on whole frames where the gate was
    calibrated by ``calibrate gate``, else by sketch-level stand-ins. A limit in ``cfg.statistics`` replaces the calibrated one and gates on its own.

    Args:
        blocks: group -> sketches of its place blocks.
        statistics: name -> what it counts.
        cfg: the budget's gate.
        seed: of the gate's own calibration.
        calibrated: what ``calibrate gate`` found for this reference; None: the gate calibrates itself, at each size once.

    Raises:
        UserError: ``cfg.statistics`` names a statistic that does not exist.
    """

    def __init__(
        self,
        blocks: Mapping[str, Sequence[Sketch]],
        statistics: Mapping[str, Statistic],
        cfg: Gate,
        seed: int = 0,
        calibrated: GateFile | None = None,
    ):
        for name in cfg.statistics:
            if name not in statistics:
                raise unknown("statistic in gate.statistics", name, statistics)
        self.cfg, self.seed, self.calibrated = cfg, seed, calibrated
        self.places = places_by_modality(blocks, statistics)
        self._known: dict[tuple[str, int], BatchLimits | None] = {}

    def judge(self, sketch: Sketch) -> Scorecard:
        """Rows per statistic and stratum, and the verdict ``accepted`` or ``rejected``; reason codes are names of statistics.

        Args:
            sketch: sum over the batch.
        """
        card = Scorecard()
        for modality, places in self.places.items():
            card.extend(self._judge(modality, places, sketch))
        if not any(r.gates for r in card.rows) and self.cfg.unjudged == "hold":
            note = "nothing could be judged, and gate.unjudged is hold"
            card.rows.append(Row("unjudged", None, gates=True, verdict="failed", note=note))
        card.verdict = "rejected" if card.failed() else "accepted"
        return card

    def limits(self, modality: str, size: float) -> BatchLimits | None:
        """Limits for a batch that holds as much data as ``size`` real blocks: those of the largest calibrated size it reaches; None without enough
        places."""
        if self.calibrated:
            own = self.calibrated.batch.get(modality)
            return own.at(size) if own else None
        places = self.places[modality]
        steps = sizes(places)
        if not steps:
            return None
        step = max((s for s in steps if s <= size), default=steps[0])
        if (modality, step) not in self._known:
            wrong = {STANDIN: Wrong((places.standin(),))}
            self._known[modality, step] = calibrate(places, wrong, step, self.seed, SPLITS, LEVEL / len(self.places))
        return self._known[modality, step]

    def _judge(self, modality: str, places: Places, sketch: Sketch) -> list[Row]:
        limits = self.limits(modality, places.size_of(sketch))
        rows, standardized = [], {}
        for name, statistic in places.statistics.items():
            batch = np.broadcast_to(sketch.counts.get(name, 0.0), statistic.shape)
            reference = places.counts[name].sum(axis=0)
            strata = stratum_distances(statistic, batch[None], reference[None])
            own = limits.statistics.get(name) if limits else None
            value = float(weighted(strata, np.array(own.weights) if own else reference.sum(axis=1))[0])
            row = self._row(statistic, value, int(batch.sum()), own, modality)
            if row.gates and own:
                standardized[name] = value / own.null.rms
            rows += [row, *_stratum_rows(statistic, strata[0], batch.sum(axis=1), own, modality)]
        if standardized and limits:
            worst = max(sorted(standardized), key=standardized.__getitem__)
            note = f"largest standardized statistic over {', '.join(sorted(standardized))}: {worst}"
            rows.append(Row("joint", standardized[worst], "1", modality, limit=limits.joint, n=1, verdict="ok", note=note))
        return rows

    def _row(self, statistic: Statistic, value: float, n: int, own: StatisticGate | None, modality: str) -> Row:
        override = self.cfg.statistics.get(statistic.name)
        null = Null(own.null.median, own.null.q95, own.null.n) if own else None
        base = dict(
            metric=statistic.name, value=value if np.isfinite(value) else None, unit=distance_unit(statistic), modality=modality, n=n, null=null
        )
        if not np.isfinite(value):
            return Row(**base, note=f"no stratum holds {statistic.min_count} values on both sides")
        if override is not None:
            return Row(**base, limit=override, gates=True, verdict="failed" if value > override else "ok", note="limit set by the budget")
        if own is None:
            return Row(**base, note="too little real data for a real-against-real null")
        power, control = self._best(own, statistic, modality)
        if not own.gates:
            return Row(**base, limit=own.limit, verdict="no power", note=f"rejects only {power:.0%} of the control '{control}'")
        verdict = "failed" if value > own.limit else "ok"
        return Row(**base, limit=own.limit, gates=True, verdict=verdict, note=f"joint limit; rejects {power:.0%} of the control '{control}'")

    def _best(self, own: StatisticGate, statistic: Statistic, modality: str) -> tuple[float, str]:
        """The power at a stated strength that is largest, and the control it was shown against."""
        if not self.calibrated:
            return own.power[STANDIN][0], statistic_control(statistic)[0]
        controls = self.calibrated.batch[modality].controls
        found = {c: p[controls[c].at] for c, p in own.power.items()}
        best = max(sorted(found), key=found.__getitem__, default="")
        return (found[best], f"{best} {controls[best].stated:g}") if best else (0.0, "none")


def _stratum_rows(statistic: Statistic, values: np.ndarray, n: np.ndarray, own: StatisticGate | None, modality: str) -> list[Row]:
    rows = []
    for i, stratum in enumerate(statistic.strata):
        null = Null(*own.strata[i], own.null.n) if own and own.strata[i] else None
        value = float(values[i]) if np.isfinite(values[i]) else None
        verdict = ("failed" if value > null.q95 else "ok") if value is not None and null else "unjudged"
        rows.append(
            Row(statistic.name, value, distance_unit(statistic), modality, "", stratum, int(n[i]), null.q95 if null else None, null, False, verdict)
        )
    return rows
