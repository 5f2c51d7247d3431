"""Feedback step 1 for every sensor of the rig: response parameters that make perfect synthetic frames look like the reference."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

from tailgate.config.setting import Setting
from tailgate.frames import Frame, SensorFrame
from tailgate.runtime.folder import frame_folder
from tailgate.runtime.measured import Tick
from tailgate.runtime.reference import ReferenceData
from tailgate.runtime.spec import RunSpec

SCANS, IMAGES = 6, 16
"""Frames used to fit a LiDAR and a depth camera: enough for the statistics, few enough for a laptop."""


def fit_sensors(
    spec: RunSpec, reference: ReferenceData, settings: dict[str, Setting], frames: list[dict[str, Any]], tick: Tick = lambda words, done, total: None
) -> dict[str, Any]:
    """Estimates by setting address.

    Args:
        tick: hears which sensor is being fitted, and how far.
        frames: ledger rows of the round's sound frames; their stored truth channels are the perfect scans.
    """
    from tailgate.datasets import store
    from tailgate.sensors import unit_seed
    from tailgate.validate.evidence import CUTS, Cut

    cut = CUTS.get(spec.budget.reference.kind, Cut())
    loaded: list[Frame] = []
    for row in frames:
        folder = frame_folder(spec.out, row["id"])
        if folder is not None and len(loaded) < max(SCANS, IMAGES):
            loaded.append(cut.apply(store.load(folder)))
    estimates: dict[str, Any] = {}
    for name, sensor in spec.rig.sensors.items():
        scans = [f.sensors[name] for f in loaded if name in f.sensors]
        prior = _own(settings, name)
        if not scans or not prior:
            continue
        device = sensor.model, unit_seed(spec.budget.seed, name)
        fitted = _fit(device, scans, reference, {p: s for p, (_, s) in prior.items()}, partial(tick, f"fitting {name}"))
        estimates.update({address: fitted[p] for p, (addresses, _) in prior.items() if p in fitted for address in addresses})
    return estimates


def _fit(device: tuple[Any, int], scans: list[SensorFrame], reference: ReferenceData, prior: dict[str, Setting], heard: Any) -> dict[str, Any]:
    """Estimates of a sensor by its model and the seed of its unit."""
    from tailgate.calibrate.camera import fit_camera, perfect_views
    from tailgate.calibrate.lidar import Streams, fit_response

    model, unit = device
    blocks = [b for found in reference.blocks("feedback").values() for b in found]
    if model.type == "lidar":
        return fit_response(blocks, scans[:SCANS], model, prior, Streams(unit=unit), heard).estimates
    if model.depth == "none":
        return {}
    settled = model.model_copy(update={"response": {**model.response, **prior}})
    return fit_camera(blocks, [_exact(s) for s in scans[:IMAGES]], settled, pictures=perfect_views(settled, IMAGES), heard=heard).estimates


def _exact(view: SensorFrame) -> SensorFrame:
    """The view with its true depth in place of the measured one; its colour is as measured."""
    return replace(view, channels={**view.channels, "distance_to_image_plane": view.channel("distance_to_image_plane_true")})


def _own(settings: dict[str, Setting], sensor: str) -> dict[str, tuple[list[str], Setting]]:
    """Response parameter -> its addresses in all scenarios and its setting."""
    found: dict[str, tuple[list[str], Setting]] = {}
    for address, setting in sorted(settings.items()):
        _, randomizer, name = address.split("/")
        of, _, parameter = name.rpartition(".")
        if randomizer == "sensor_noise.response" and of == sensor:
            found.setdefault(parameter, ([], setting))[0].append(address)
    return found
