"""A sensor before exact scenes: what a response is fitted on and judged with when no rendered frames are at hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from tailgate.calibrate.beam_errors import unnamed
from tailgate.calibrate.camera import DEVICE_STATISTICS, fit_camera, perfect_views, simulated_views
from tailgate.calibrate.estimate import Estimate
from tailgate.calibrate.holdout import Recorded
from tailgate.calibrate.indirect import Fit, Heard, widened
from tailgate.calibrate.lidar import Streams, fit_response, simulated_scans
from tailgate.calibrate.lidar_grid import estimate_grid
from tailgate.calibrate.places import count_places
from tailgate.calibrate.problem import total
from tailgate.calibrate.scene import street_scan
from tailgate.calibrate.storage import find_storage
from tailgate.config.sensor import CameraModel, LidarModel
from tailgate.distributions import Constant, Ranged
from tailgate.frames import SensorFrame
from tailgate.validate.lidar_statistics import LIDAR_STATISTICS, SECTORS
from tailgate.validate.sketch import Sketch, Statistic

STREETS, VIEWS = 24, 96
"""Exact streets and table tops that a response is fitted on."""
FRESH = 1000
"""First of the scenes that a fit is judged on, which it has not seen."""
ELSEWHERE = 2.0
"""Intervals of a LiDAR's response are made so much wider than on streets of the fit's own kind, for recordings of other places (benchmarks/truth.py
--scenes)."""


@dataclass(frozen=True)
class Head:
    """A LiDAR as it is mounted.

    Attributes:
        model: with the firing grid and the storage of its recordings.
        T_rig_sensor: pose on its rig [4, 4]; None where the recordings do not tell.
    """

    model: LidarModel
    T_rig_sensor: np.ndarray | None = None


@dataclass(frozen=True)
class LidarBench:
    """Streets before a LiDAR, or before the heads of one kind that share a response.

    Attributes:
        model: to start from.
        heads: by name; without any the model itself.
        grid: estimates of grid and storage, for people.
        notes: what of the grid cannot be told.
        bias: spread of the range errors that the heads' tables do not name [m], where errors of beams were told.
        seed: of the simulated noise.
    """

    model: LidarModel
    heads: Mapping[str, Head] = field(default_factory=dict)
    grid: dict[str, Estimate] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    seed: int = 0
    statistics: Mapping[str, Statistic] = field(default_factory=lambda: LIDAR_STATISTICS)
    bias: Estimate | None = None

    @classmethod
    def of(cls, frames: Sequence[Recorded], model: LidarModel, seed: int) -> LidarBench:
        """The bench of recorded frames: every head has its own beam table, range errors and storage."""
        places, names = count_places(frames), sorted({name for frame in frames for name in frame.scans})
        heads, rows, notes, bias = {}, {}, [], []
        for name in names:
            scans = [frame.scans[name] for frame in frames if name in frame.scans]
            storage, of = find_storage(scans), name if len(names) > 1 else ""
            grid = estimate_grid(storage.marked(scans), model, places)
            pose = np.asarray(scans[0].T_world_sensor)[0]
            heads[name] = Head(storage.applied(grid.applied(model)), pose if pose[2, 3] > 0 else None)
            bias.append(unnamed(grid.offset))
            rows |= {f"{of}.{key}".lstrip("."): row for key, row in {**grid.rows(model), **storage.rows()}.items()}
            notes += [f"{of}: {note}".lstrip(": ") for note in (*grid.notes(model), *storage.notes())]
        worst = None if None in bias else max(bias, key=lambda e: e.value, default=None)
        bench = cls(model, heads, rows, notes, seed, bias=worst)
        notes += bench._beside_streets([scan for frame in frames for scan in frame.scans.values()])
        return bench

    def _beside_streets(self, scans: Sequence[SensorFrame]) -> list[str]:
        """A sentence where recordings lie nearer or farther than any of the streets."""
        streets = [_median_range(street) for street in self._streets]
        median = float(np.median([_median_range(scan) for scan in scans])) if scans else streets[0]
        if not scans or min(streets) <= median <= max(streets):
            return []
        apart = f"half of the returns lie within {median:.1f} m, those of the exact streets within {min(streets):.1f} to {max(streets):.1f} m"
        return [f"{apart}: what depends on range and incidence is less sure than its intervals say"]

    @cached_property
    def _streets(self) -> list[SensorFrame]:
        return self._drawn(0)

    @property
    def _models(self) -> list[LidarModel]:
        """The model that sees each street. The heads take turns, and change places after a turn of ``fit_response``'s sectors."""
        return [head.model for head in self._order]

    @property
    def _order(self) -> list[Head]:
        heads = list(self.heads.values()) or [Head(self.model)]
        return [heads[(k + k // SECTORS) % len(heads)] for k in range(STREETS)]

    def _drawn(self, first: int) -> list[SensorFrame]:
        return [street_scan(head.model, first + k, T_rig_sensor=head.T_rig_sensor) for k, head in enumerate(self._order)]

    def fit(self, blocks: Sequence[Sketch], heard: Heard = lambda done, most: None) -> Fit:
        """Fit the response to blocks of recordings; ``heard`` as in ``indirect.fit``. What scans tell of single beams is not fitted once more."""
        response, told = self.model.response, {}
        if self.bias and "beam_bias" in response:
            told = {"beam_bias": self.bias}
            response = response | {"beam_bias": response["beam_bias"].model_copy(update={"dist": Constant(value=self.bias.value)})}
        found = fit_response(blocks, self._streets, self._models, response, Streams(self.seed), heard)
        return replace(found, estimates=found.estimates | told)

    def said(self, found: Fit) -> dict[str, Estimate]:
        """Estimates as people are told them: recordings are of places of another kind than the streets of the fit. A model that drew from intervals
        so wide would lose what the fit is best at, how settings go together."""
        priors = {n: s.dist for n, s in self.model.response.items() if isinstance(s.dist, Ranged)}
        fitted = {n: e for n, e in found.estimates.items() if not (self.bias and n == "beam_bias")}
        return found.estimates | widened(replace(found, estimates=fitted), priors, ELSEWHERE).estimates

    def simulate(self, params: Mapping[str, float]) -> Sketch:
        """Statistics of streets the fit has not seen."""
        return total(simulated_scans(self._drawn(FRESH), self._models, params, self.seed + 1))


def _median_range(scan: SensorFrame) -> float:
    """Median range of the returns of a scan [m]; 0 without any."""
    rng = np.asarray(scan.channel("range"))
    return float(np.median(rng[rng > 0])) if (rng > 0).any() else 0.0


@dataclass(frozen=True)
class CameraBench:
    """Table tops before a camera that stands over them as the recorded one did.

    Attributes:
        model: the camera.
        poses: of the recorded frames, see ``support.support_pose``.
        labelled: whether surfaces are labelled, so that nothing else counts.
        seed: of scenes and noise.
    """

    model: CameraModel
    poses: list[tuple[float, float]] = field(default_factory=list)
    labelled: bool = True
    grid: dict[str, Estimate] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    seed: int = 0
    statistics: Mapping[str, Statistic] = field(default_factory=lambda: DEVICE_STATISTICS)

    @classmethod
    def of(cls, frames: Sequence[Recorded], model: CameraModel, seed: int) -> CameraBench:
        """The bench of recorded frames."""
        return cls(model, [frame.pose for frame in frames if frame.pose is not None], all(frame.labelled for frame in frames), seed=seed)

    @cached_property
    def _views(self) -> list[SensorFrame]:
        return self._draw(VIEWS, self.seed)

    def _draw(self, count: int, seed: int) -> list[SensorFrame]:
        views = perfect_views(self.model, count, seed, self.poses)
        if self.labelled:
            return views
        labels = ("semantic_segmentation", "instance_segmentation")
        return [replace(v, channels={n: c for n, c in v.channels.items() if n not in labels}) for v in views]

    def fit(self, blocks: Sequence[Sketch], heard: Heard = lambda done, most: None) -> Fit:
        """Fit the response to blocks of recordings; ``heard`` as in ``indirect.fit``."""
        return fit_camera(blocks, self._views, self.model, self.seed, heard=heard)

    def said(self, found: Fit) -> dict[str, Estimate]:
        """Estimates as people are told them."""
        return found.estimates

    def simulate(self, params: Mapping[str, float]) -> Sketch:
        """Statistics of table tops the fit has not seen."""
        return Sketch.total(simulated_views(self._draw(VIEWS // 2, self.seed + FRESH), self.model, params, self.seed + 1))
