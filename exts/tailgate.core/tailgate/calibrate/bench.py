"""A sensor before exact scenes: what a response is fitted on and judged with when no rendered frames are at hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from tailgate.calibrate.camera import DEVICE_STATISTICS, fit_camera, perfect_views, simulated_views
from tailgate.calibrate.estimate import Estimate
from tailgate.calibrate.holdout import Recorded
from tailgate.calibrate.indirect import Fit, total
from tailgate.calibrate.lidar import fit_response, simulated_scans
from tailgate.calibrate.lidar_grid import estimate_grid
from tailgate.calibrate.scene import street_scan
from tailgate.config.sensor import CameraModel, LidarModel
from tailgate.frames import SensorFrame
from tailgate.validate.lidar_statistics import LIDAR_STATISTICS
from tailgate.validate.sketch import Sketch, Statistic

STREETS, VIEWS = 24, 24
"""Exact streets and table tops that a response is fitted on."""
FRESH = 1000
"""First of the scenes that a fit is judged on, which it has not seen."""


@dataclass(frozen=True)
class LidarBench:
    """Streets before a LiDAR.

    Attributes:
        model: with the firing grid of its recordings.
        grid: estimates of the grid, for people.
        notes: what of the grid cannot be told.
        seed: of the simulated noise.
    """

    model: LidarModel
    grid: dict[str, Estimate] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    seed: int = 0
    statistics: Mapping[str, Statistic] = field(default_factory=lambda: LIDAR_STATISTICS)

    @classmethod
    def of(cls, frames: Sequence[Recorded], model: LidarModel, seed: int) -> LidarBench:
        """The bench of recorded frames. Several heads of one kind keep the table of their data sheet."""
        scans = [scan for frame in frames for scan in frame.scans]
        heads = max(len(frame.scans) for frame in frames)
        if heads > 1:
            return cls(model, {}, [f"{heads} heads of one kind: the beam table stays that of the data sheet"], seed)
        grid = estimate_grid(scans, model, len({frame.recording for frame in frames}))
        return cls(grid.applied(model), grid.rows(model), grid.notes(), seed)

    @cached_property
    def _streets(self) -> list[SensorFrame]:
        return [street_scan(self.model, k) for k in range(STREETS)]

    def fit(self, blocks: Sequence[Sketch]) -> Fit:
        """Fit the response to blocks of recordings."""
        return fit_response(blocks, self._streets, self.model, self.model.response, self.seed)

    def simulate(self, params: Mapping[str, float]) -> Sketch:
        """Statistics of streets the fit has not seen."""
        streets = [street_scan(self.model, FRESH + k) for k in range(STREETS)]
        return total(simulated_scans(streets, self.model, params, self.seed + 1))


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

    def fit(self, blocks: Sequence[Sketch]) -> Fit:
        """Fit the response to blocks of recordings."""
        return fit_camera(blocks, self._views, self.model, self.seed)

    def simulate(self, params: Mapping[str, float]) -> Sketch:
        """Statistics of table tops the fit has not seen."""
        return Sketch.total(simulated_views(self._draw(2 * VIEWS, self.seed + FRESH), self.model, params, self.seed + 1))
