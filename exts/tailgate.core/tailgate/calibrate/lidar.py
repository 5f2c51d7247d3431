"""Fit a LiDAR's response to recordings by simulation: the settings under which exact scans give the statistics of the reference.

Statistics of real scans mix the device with the scene (relief, clutter, materials), so reading the device off them directly errs. Here exact
synthetic scans pass through the response, the same statistics are taken, and settings are moved until both agree (``calibrate.indirect``).
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np

from tailgate.calibrate.indirect import Fit, Heard, fit
from tailgate.calibrate.problem import Problem, Simulate
from tailgate.config.sensor import LidarModel
from tailgate.config.setting import Setting
from tailgate.distributions import Constant, Ranged
from tailgate.errors import UserError
from tailgate.frames import SensorFrame
from tailgate.memory import recall, remembering
from tailgate.rng import kernel_seed
from tailgate.sensors.lidar import respond_lidar
from tailgate.sensors.lidar_random import BIAS_SEED
from tailgate.validate.fit_statistics import FINER, FIT_STATISTICS, fit_sketches
from tailgate.validate.lidar_statistics import SECTORS, sector_of
from tailgate.validate.sketch import Sketch

_NOISE = (*FINER, *(s.name for s in FINER.values()), "noise_spectrum")
_LIGHT = ("intensity", "intensity_texture")
_LOSS, _GAPS = ("hole_rate", "return_rate", "loss"), ("run_length",)
INTENSITY = ("intensity_gain", "intensity_contrast", "intensity_incidence", "intensity_range", "intensity_spread", "intensity_tail")
LOSSES = ("drop_base", "drop_near", "drop_per_metre", "drop_incidence", "range_10pct", "signal_incidence")
SEEN_BY = {
    **dict.fromkeys(("noise_sigma", "noise_per_metre", "noise_incidence", "noise_correlation", "noise_grain", "noise_tail", "beam_bias"), _NOISE),
    **dict.fromkeys(INTENSITY, _LIGHT),
    **dict.fromkeys(LOSSES, _LOSS),
    **dict.fromkeys(("drop_correlation", "drop_grain"), _GAPS),
}
"""Response setting -> the statistics it is fitted against."""
FELT_BY = {**dict.fromkeys(INTENSITY, ("loss",)), **dict.fromkeys(LOSSES, _GAPS)}
"""Losses are told apart by intensity, and gaps are of what is lost: errors of the ones are errors of what is fitted to the others."""
CHANCE = 0.1
"""Most chance in the square of a difference, over what the setting does."""
FEW, SOME, MANY = 24, 96, 288
"""Azimuth sectors of exact scans that pass through the response each time, from as many scans as there are, at least one of each: in the search, for
the Jacobians of the last steps, and for these steps."""


@dataclass(frozen=True)
class Streams:
    """Random numbers of a simulation.

    Attributes:
        seed: of those that all trials share.
        unit: of the range errors of one device's beams, as ``unit_seed`` gives it; scenes that only a fit sees have a device of their own.
    """

    seed: int = 0
    unit: int = BIAS_SEED


def fit_response(
    blocks: Sequence[Sketch],
    scans: Sequence[SensorFrame],
    model: LidarModel | Sequence[LidarModel],
    prior: Mapping[str, Setting],
    streams: Streams = Streams(),
    heard: Heard = lambda done, most: None,
) -> Fit:
    """Fit every response setting that has freedom.

    Args:
        blocks: sketches of the reference's feedback part, one per place block.
        scans: exact synthetic scans of the same device, at least one: ``range_true`` (or ``range``), ``incidence``, ``reflectance``, directions.
        model: the device, or that of each scan.
        prior: setting by parameter; Constant ones stay, Ranged ones are searched within their bounds.
        streams: random numbers of the simulation.
        heard: as in ``indirect.fit``.

    Returns:
        An Estimate per ranged setting. Deterministic.

    Raises:
        UserError: nothing on either side, or a setting that is no number.
    """
    if not blocks or not scans:
        raise UserError(f"fitting a LiDAR response needs reference blocks and exact scans, got {len(blocks)} and {len(scans)}")
    free = {name: prior[name].dist for name in SEEN_BY if name in prior and isinstance(prior[name].dist, Ranged)}
    fixed = {name: _middle(setting) for name, setting in prior.items()}
    exact = [exact_scan(s) for s in scans]

    def simulator(part: list[SensorFrame]) -> Simulate:
        def simulate(values: dict[str, float]) -> list[list[Sketch]]:
            return simulated_scans(part, model, {**fixed, **values}, streams.seed, streams.unit)

        return lambda values: recall(("scenes", id(part)), values, lambda: simulate(values))

    counted = {name for block in blocks for name in block.counts}
    statistics = {name: s for name, s in FIT_STATISTICS.items() if name not in FINER or FINER[name].name not in counted}
    with remembering():
        few, some, many = (min(max(most // len(exact), 1), SECTORS) for most in (FEW, SOME, MANY))
        slopes = [simulator(_sectors(exact, some, turn)) for turn in range(SECTORS // some)]
        search, finely = (simulator(_sectors(exact, share)) for share in (few, many))
        return fit(Problem(list(blocks), statistics, free, SEEN_BY, search, FELT_BY, slopes, finely, chance=CHANCE), heard)


def simulated_scans(
    scans: Sequence[SensorFrame], model: LidarModel | Sequence[LidarModel], params: Mapping[str, float], seed: int, unit: int = BIAS_SEED
) -> list[list[Sketch]]:
    """Statistics of exact scans after the response of their model: for each scan, a sketch per azimuth sector, also of one that holds nothing, for
    settings are compared block by block."""
    models = [model] * len(scans) if isinstance(model, LidarModel) else model

    def one(k: int) -> list[Sketch]:
        channels = respond_lidar(scans[k], models[k], params, kernel_seed("fit_response", seed, k), unit=unit)
        return fit_sketches(replace(scans[k], channels=channels))

    with ThreadPoolExecutor(min(len(scans), os.cpu_count() or 1)) as pool:
        return list(pool.map(one, range(len(scans))))


def exact_scan(scan: SensorFrame) -> SensorFrame:
    """What a response is simulated from: the scan with its exact ranges and directions in place of the measured ones."""
    names = ("range", "azimuth", "elevation", "incidence", "reflectance", "intensity")
    held = {n: scan.channels.get(f"{n}_true", scan.channels.get(n)) for n in names}
    return replace(scan, channels={n: channel for n, channel in held.items() if channel is not None})


def _sectors(scans: list[SensorFrame], share: int, turn: int = 0) -> list[SensorFrame]:
    """From every scan ``share`` neighbouring azimuth sectors, further round than the last one's; on another ``turn`` others."""
    if share == SECTORS:
        return scans
    out = []
    for k, scan in enumerate(scans, turn):
        beams, columns = scan.channel("range").shape[:2]
        azimuth = np.deg2rad(np.asarray(scan.channel("azimuth"), np.float64))
        sector = sector_of(np.rad2deg(np.angle(np.exp(1j * azimuth).mean(axis=0))))
        inside = np.flatnonzero((sector - k * share) % SECTORS < share)
        first = int(np.argmax(np.diff(inside, append=inside[0] + columns))) + 1
        pick = np.roll(inside, -first)
        grids = {n: np.asarray(c) for n, c in scan.channels.items()}
        cut = {n: c[:, pick] if c.ndim >= 2 and c.shape[:2] == (beams, columns) else c for n, c in grids.items()}
        out.append(replace(scan, channels=cut))
    return out


def _middle(setting: Setting) -> float:
    if isinstance(setting.dist, Constant):
        return float(setting.dist.value)
    if isinstance(setting.dist, Ranged):
        return float(setting.dist.mean)
    raise UserError(f"a response setting must be a constant or ranged number, got {setting.dist.kind}")
