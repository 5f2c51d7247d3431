"""What each sensor effect does alone, from off to strong, on one clip: responses on the rendered frame, trace-time effects by rendering anew."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path

from tailgate.config.rig import MountedSensor, ResolvedRig
from tailgate.config.sensor import CameraModel, LidarModel
from tailgate.distributions import Ranged
from tailgate.frames import Frame, Sample
from tailgate.runtime.folder import check_writable
from tailgate.runtime.run import initial_settings
from tailgate.runtime.spec import RunOptions, RunSpec, resolve
from tailgate.runtime.studio import Studio, Take

LEVELS = (0.0, 0.5, 1.0)
"""Shares of the way from an effect's ideal value to the bound that is furthest from it."""
DRIVING = {"ego_speed": 15.0, "ego_yaw_rate": 25.0}
"""Motion of the rig under which shutters are shown [m/s, deg/s]: a vehicle that turns off."""

FOGGY = {"fog_extinction": 0.03}
"""Air in which its light is shown [1/m]: 100 m of visibility."""
AIR = {"range_10pct": 60.0, "backscatter": 0.015, "scatter_spread": 0.4, "overlap": 5.0}
GLARE = {"range_10pct": 60.0, "bloom_level": 1e-3, "bloom_width": 0.6}
"""Settings of a LiDAR that only show together: a row of one of them holds the others at these values."""
SHAPED = (
    (("noise_correlation", "noise_grain", "noise_tail"), {"noise_sigma": 0.04}),
    (("drop_correlation", "drop_grain"), {"drop_base": 0.06}),
    (("intensity_tail",), {"intensity_spread": 0.3}),
    (("signal_incidence",), {"range_10pct": 20.0}),
    (("noise_window", "noise_rows", "noise_grain", "noise_period", "grazing_noise", "field_noise"), {"axial_noise": 4.0, "subpixel_rms": 0.15}),
    (("colour_grain", "illuminant_red", "illuminant_blue"), {"shot_noise": 0.001}),
    (("sharpening",), {"blur": 0.8}),
    (("speckle", "support", "fattening"), {"noise_window": 9.0, "noise_rows": 7.0, "projector_offset": 0.075, "occlusion": 1.0}),
)
"""Settings that only shape another effect: a row of one of them shows that effect at these values of those that the device has."""


def ablation(options: RunOptions, out: Path, count: int) -> None:
    """Write a sheet with one row per effect; ``count`` x 4 rows at most."""
    from tailgate.report.sheet import ablation_sheet

    check_writable(out)
    with tempfile.TemporaryDirectory() as folder:
        spec = resolve(replace(options, out=Path(folder)))
        studio = Studio(spec)
        take = asyncio.run(studio.shoot(sorted(spec.scenarios)[0], initial_settings(spec), 0, spec.budget.cells[0]))
        rows = [*_traced(spec, take), *_responses(studio, take)]
        studio.close()
    ablation_sheet(rows[: count * 4], out)


def _responses(studio: Studio, take: Take) -> Iterator[tuple[str, list[Frame]]]:
    """A row for every response setting that has bounds and can be seen on one frame: time stamps cannot."""
    from tailgate.sensors.timing import Timing

    unseen = {f.name for f in fields(Timing)} | {"exposure_lag"}
    for sensor, mounted in studio.spec.rig.sensors.items():
        for parameter, setting in mounted.model.response.items():
            if isinstance(setting.dist, Ranged) and parameter not in unseen:
                samples = [_alone(take.sample, sensor, mounted.model, parameter, share) for share in LEVELS]
                yield f"{sensor}: {parameter}", [_only(studio.respond(take.perfect, sample), sensor) for sample in samples]


def _traced(spec: RunSpec, take: Take) -> Iterator[tuple[str, list[Frame]]]:
    """A row for the lens and for each part of the shutter of every camera that declares them; all responses off."""
    for sensor, mounted in spec.rig.sensors.items():
        if mounted.model.type != "camera":
            yield from _swept(spec, take, sensor, mounted.model)
            continue
        still = mounted.model.model_copy(update={"lens": None, "shutter": None})
        yield f"{sensor}: panes", [_seen(spec, take, sensor, still, {"transparency": share}) for share in LEVELS]
        if lens := mounted.model.lens:
            bent = [lens.model_copy(update={"coefficients": [share * c for c in lens.coefficients]}) if share else None for share in LEVELS]
            yield f"{sensor}: lens", [_seen(spec, take, sensor, still.model_copy(update={"lens": one}), {}) for one in bent]
        if shutter := mounted.model.shutter:
            for part in ("exposure_ms", "readout_ms"):
                off = {"exposure_ms": 0.0, "readout_ms": 0.0}
                shutters = [shutter.model_copy(update={**off, part: share * getattr(shutter, part)}) for share in LEVELS]
                frames = [_seen(spec, take, sensor, still.model_copy(update={"shutter": one}), DRIVING) for one in shutters]
                yield f"{sensor}: shutter, {part} at {DRIVING['ego_speed']:g} m/s and {DRIVING['ego_yaw_rate']:g} deg/s", frames


def _swept(spec: RunSpec, take: Take, sensor: str, model: LidarModel) -> Iterator[tuple[str, list[Frame]]]:
    """Rows of a LiDAR: motion during its sweep, the footprint of its beams where the file declares one, panes, mirrors; all responses off."""
    moving = [{name: share * value for name, value in DRIVING.items()} for share in LEVELS]
    yield (
        f"{sensor}: sweep at {DRIVING['ego_speed']:g} m/s and {DRIVING['ego_yaw_rate']:g} deg/s",
        [_seen(spec, take, sensor, model, h) for h in moving],
    )
    if any(model.divergence_mrad):
        wide = [{"sub_rays": 7, "divergence_mrad": tuple(share * a for a in model.divergence_mrad)} if share else {"sub_rays": 1} for share in LEVELS]
        yield f"{sensor}: footprint", [_seen(spec, take, sensor, model.model_copy(update=one), {}) for one in wide]
    plain = model.model_copy(update={"ghosts": False})
    yield f"{sensor}: panes", [_seen(spec, take, sensor, plain, {"transparency": share}) for share in LEVELS]
    yield f"{sensor}: ghosts", [_seen(spec, take, sensor, model.model_copy(update={"ghosts": share > 0}), {}) for share in LEVELS]


def _seen(spec: RunSpec, take: Take, sensor: str, model: LidarModel | CameraModel, hints: dict[str, float]) -> Frame:
    """The clip through another model of one sensor, its responses off."""
    mounted = spec.rig.sensors[sensor]
    rig = ResolvedRig(spec.rig.name, {sensor: MountedSensor(model, mounted.model_name, mounted.T_rig_sensor)})
    studio = Studio(replace(spec, rig=rig))
    sample = _off(replace(take.sample, hints={**take.sample.hints, **hints}), sensor, model)
    frame = studio.respond(asyncio.run(studio.render(sample)), sample)
    studio.close()
    return frame


def _alone(sample: Sample, sensor: str, model: LidarModel | CameraModel, parameter: str, share: float) -> Sample:
    """The sample with every response of a sensor off but one, at a share of the way to its furthest bound."""
    off, dist = _off(sample, sensor, model), model.response[parameter].dist
    ideal = off.sensors[sensor][parameter]
    strong = max((dist.low, dist.high), key=lambda bound: abs(bound - ideal))
    company = next((group for group in (AIR, GLARE) if parameter in group and parameter != "range_10pct"), {})
    shaped = {n: v for names, base in SHAPED if parameter in names for n, v in base.items() if n in model.response}
    values = {**off.sensors[sensor], **company, **shaped, parameter: ideal + share * (strong - ideal)}
    return replace(off, sensors={**off.sensors, sensor: values}, hints={**off.hints, **(FOGGY if company is AIR else {})})


def _off(sample: Sample, sensor: str, model: LidarModel | CameraModel) -> Sample:
    """The sample with the responses of a sensor at their ideal values; constants keep theirs, for they are what the device is."""
    from tailgate.sensors import ideal

    perfect = ideal(model)
    values = {n: perfect.get(n, 0.0) if isinstance(s.dist, Ranged) else float(s.dist.sample(None)) for n, s in model.response.items()}
    return replace(sample, sensors={**sample.sensors, sensor: values})


def _only(frame: Frame, sensor: str) -> Frame:
    return replace(frame, sensors={sensor: frame.sensors[sensor]})
