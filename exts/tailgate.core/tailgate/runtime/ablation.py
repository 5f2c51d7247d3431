"""What each sensor effect does alone, from off to strong, on one clip: responses on the rendered frame, trace-time effects by rendering anew."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import fields, replace
from itertools import chain, islice
from pathlib import Path

from tailgate.config.rig import MountedSensor, ResolvedRig
from tailgate.config.sensor import CameraModel, LidarModel
from tailgate.config.setting import Setting
from tailgate.distributions import Constant, Ranged
from tailgate.frames import Frame, Sample
from tailgate.runtime.folder import check_writable
from tailgate.runtime.run import initial_settings
from tailgate.runtime.spec import RunOptions, RunSpec, resolve
from tailgate.runtime.studio import Studio, Take

LEVELS = (0.0, 0.5, 1.0)
"""Shares of the way from an effect's ideal value to the bound that is furthest from it, or to the constant that the device has."""
BITS = (12.0, 10.0, 8.0)
"""Bits of a converter that are shown, the fewest that cameras have last: photosites are full well above white, so 5 bits would leave four levels."""
DESCRIBES = ("bloom_radius", "sharpening_radius", "baseline", "modulation", "pattern")
"""Constants that say what a device is and are no effects."""
DARK_S = 0.1
"""Time since the light came up for which the lag of automatic exposure is shown [s]."""
DRIVING = {"ego_speed": 15.0, "ego_yaw_rate": 25.0}
"""Motion of the rig under which shutters are shown [m/s, deg/s]: a vehicle that turns off."""
DRIVING_UNITS = ("m/s", "deg/s")

FOGGY = {"fog_extinction": 0.03}
"""Air in which its light is shown [1/m]: 100 m of visibility."""
THICK = 0.06
"""Extinction of the air up to which attenuation is shown [1/m]: 50 m of visibility."""
AIR = {"range_10pct": 60.0, "backscatter": 0.015, "scatter_spread": 0.4, "overlap": 5.0}
GLARE = {"range_10pct": 60.0, "bloom_level": 1e-3, "bloom_width": 0.6}
"""Settings of a LiDAR that only show together: a row of one of them holds the others at these values."""
SHAPED = (
    (("noise_correlation", "noise_grain", "noise_tail"), {"noise_sigma": 0.04}),
    (("drop_correlation", "drop_grain"), {"drop_base": 0.06}),
    (("intensity_tail",), {"intensity_spread": 0.3}),
    (("signal_incidence", "noise_signal"), {"range_10pct": 20.0}),
    (("field_aside",), {"axial_noise": 4.0, "field_noise": 2.0}),
    (("registration",), {"camera_offset": 0.025}),
    (("noise_window", "noise_rows", "noise_grain", "noise_period", "grazing_noise", "field_noise"), {"axial_noise": 4.0, "subpixel_rms": 0.15}),
    (("colour_grain", "illuminant_red", "illuminant_blue"), {"shot_noise": 0.001}),
    (("sharpening",), {"blur": 0.8}),
    (
        ("speckle", "support", "fattening"),
        {"noise_window": 9.0, "noise_rows": 7.0, "projector_offset": 0.075, "occlusion": 1.0, "support": 0.3, "speckle": 1.0},
    ),
)
"""Settings that only shape another effect: a row of one of them shows that effect at these values of those that the device has."""


def ablation(options: RunOptions, out: Path, count: int | None = None) -> None:
    """Write a sheet with one row per effect, the first ``count`` of them where it is given."""
    from tailgate.report.ablation import ablation_sheet

    check_writable(out, ".png")
    with tempfile.TemporaryDirectory() as folder:
        spec = resolve(replace(options, out=Path(folder)))
        with closing(Studio(spec)) as studio:
            take = asyncio.run(studio.shoot(sorted(spec.scenarios)[0], initial_settings(spec), 0, spec.budget.cells[0]))
            rows = list(islice(chain(_traced(spec, take), _responses(studio, take)), count))
    ablation_sheet(rows, out)


def _responses(studio: Studio, take: Take) -> Iterator[tuple[str, list[Frame]]]:
    """A row for every response setting that is an effect and can be seen on one frame: time stamps cannot."""
    from tailgate.sensors.timing import Timing

    unseen = {f.name for f in fields(Timing)} | set(DESCRIBES)
    for sensor, mounted in studio.spec.rig.sensors.items():
        for parameter, setting in mounted.model.response.items():
            ends = _ends(mounted.model, parameter)
            if parameter not in unseen and ends[0] != ends[1]:
                samples = [_alone(take.sample, sensor, mounted.model, parameter, share) for share in LEVELS]
                before = _in_the_dark(take.perfect) if parameter == "exposure_lag" else None
                frames = [_only(studio.respond(take.perfect, sample, before=before), sensor) for sample in samples]
                yield _title(sensor, parameter, setting, [sample.sensors[sensor][parameter] for sample in samples]), frames


def _in_the_dark(frame: Frame) -> Frame:
    """What the cameras saw ``DARK_S`` before: a quarter of the light, which they exposed four times as long."""
    sensors = {}
    for name, sensor in frame.sensors.items():
        longer = {"exposure": 4 * sensor.channels["exposure"]} if "exposure" in sensor.channels else {}
        sensors[name] = replace(sensor, t_start=sensor.t_start - round(1e9 * DARK_S), channels={**sensor.channels, **longer})
    return replace(frame, sensors=sensors)


def _title(sensor: str, parameter: str, setting: Setting, values: list[float]) -> str:
    """Name of an effect, the values it takes and what it is."""
    unit = f" {setting.dist.unit}" if setting.dist.unit else ""
    after = f", {DARK_S:g} s after a light of a quarter" if parameter == "exposure_lag" else ""
    return f"{sensor}: {parameter} {', '.join(f'{value:.3g}' for value in values)}{unit}{after}{f' ({setting.why})' if setting.why else ''}"


def _listed(shares: Sequence[float], full: float = 1.0) -> str:
    """Values of a row: shares of the full strength."""
    return ", ".join(f"{share * full:.3g}" for share in shares)


def _panes(sensor: str) -> str:
    return f"{sensor}: panes, {_listed(LEVELS)} of their transparency"


def _ends(model: LidarModel | CameraModel, parameter: str) -> tuple[float, float]:
    """Value of a parameter that does nothing, and its strongest: the furthest bound, or the constant."""
    from tailgate.sensors import ideal

    dist, off = model.response[parameter].dist, ideal(model).get(parameter, 0.0)
    bounds = (dist.low, dist.high) if isinstance(dist, Ranged) else (float(dist.value),) if isinstance(dist, Constant) else (off,)
    furthest = max(bounds, key=lambda bound: abs(bound - off))
    return off, min(bounds) if parameter == "range_10pct" else furthest


def _traced(spec: RunSpec, take: Take) -> Iterator[tuple[str, list[Frame]]]:
    """A row for the lens, the focus and each part of the shutter of every camera that declares them; all responses off."""
    for sensor, mounted in spec.rig.sensors.items():
        if mounted.model.type != "camera":
            yield from _swept(spec, take, sensor, mounted.model)
            continue
        still = mounted.model.model_copy(update={"lens": None, "shutter": None, "focus": None})
        yield _panes(sensor), [_seen(spec, take, sensor, still, {"transparency": share}) for share in LEVELS]
        if lens := mounted.model.lens:
            bent = [lens.model_copy(update={"coefficients": [share * c for c in lens.coefficients]}) if share else None for share in LEVELS]
            frames = [_seen(spec, take, sensor, still.model_copy(update={"lens": one}), {}) for one in bent]
            yield f"{sensor}: lens, {_listed(LEVELS)} of its distortion", frames
        if focus := mounted.model.focus:
            open_by = [focus.model_copy(update={"opening_mm": share * focus.opening_mm}) if share else None for share in LEVELS]
            frames = [_seen(spec, take, sensor, still.model_copy(update={"focus": one}), {}) for one in open_by]
            yield f"{sensor}: focus at {focus.distance:g} m, opening {_listed(LEVELS, focus.opening_mm)} mm", frames
        if shutter := mounted.model.shutter:
            for part in ("exposure_ms", "readout_ms"):
                off = {"exposure_ms": 0.0, "readout_ms": 0.0}
                shutters = [shutter.model_copy(update={**off, part: share * getattr(shutter, part)}) for share in LEVELS]
                frames = [_seen(spec, take, sensor, still.model_copy(update={"shutter": one}), DRIVING) for one in shutters]
                at = " and ".join(f"{value:g} {unit}" for value, unit in zip(DRIVING.values(), DRIVING_UNITS, strict=True))
                yield f"{sensor}: shutter, {part} {_listed(LEVELS, getattr(shutter, part))} ms at {at}", frames


def _swept(spec: RunSpec, take: Take, sensor: str, model: LidarModel) -> Iterator[tuple[str, list[Frame]]]:
    """Rows of a LiDAR: motion during its sweep, the footprint of its beams where the file declares one, panes, mirrors, fog, and what steps of range
    and of storage the file declares; all responses off."""
    moving = [{name: share * value for name, value in DRIVING.items()} for share in LEVELS]
    speeds = " and ".join(f"{_listed(LEVELS, value)} {unit}" for value, unit in zip(DRIVING.values(), DRIVING_UNITS, strict=True))
    yield f"{sensor}: sweep at {speeds}", [_seen(spec, take, sensor, model, h) for h in moving]
    if any(model.divergence_mrad):
        wide = [{"sub_rays": 7, "divergence_mrad": tuple(share * a for a in model.divergence_mrad)} if share else {"sub_rays": 1} for share in LEVELS]
        spread = " by ".join(_listed(LEVELS, angle) for angle in model.divergence_mrad)
        yield f"{sensor}: footprint {spread} mrad", [_seen(spec, take, sensor, model.model_copy(update=one), {}) for one in wide]
    plain = model.model_copy(update={"ghosts": False})
    yield _panes(sensor), [_seen(spec, take, sensor, plain, {"transparency": share}) for share in LEVELS]
    furthest = [model.model_copy(update={"ghosts": share > 0, "returns": "last"}) for share in LEVELS]
    yield f"{sensor}: ghosts off, on, on, as the last echo", [_seen(spec, take, sensor, one, {}) for one in furthest]
    fog = [{"fog_extinction": share * THICK} for share in LEVELS]
    yield f"{sensor}: attenuation by fog, extinction {_listed(LEVELS, THICK)} 1/m", [_seen(spec, take, sensor, model, hints) for hints in fog]
    for name, words in (("range_step", f"steps of range {_listed(LEVELS, model.range_step)} m"), ("storage", "storage of coordinates off, on, on")):
        if held := getattr(model, name):
            kept = [share * held if name == "range_step" else held if share else None for share in LEVELS]
            yield f"{sensor}: {words}", [_seen(spec, take, sensor, model.model_copy(update={name: one}), {}) for one in kept]


def _seen(spec: RunSpec, take: Take, sensor: str, model: LidarModel | CameraModel, hints: dict[str, float]) -> Frame:
    """The clip through another model of one sensor, its responses off."""
    mounted = spec.rig.sensors[sensor]
    rig = ResolvedRig(spec.rig.name, {sensor: MountedSensor(model, mounted.model_name, mounted.T_rig_sensor)})
    sample = _off(replace(take.sample, hints={**take.sample.hints, **hints}), sensor, model)
    with closing(Studio(replace(spec, rig=rig))) as studio:
        return studio.respond(asyncio.run(studio.render(sample)), sample)


def _alone(sample: Sample, sensor: str, model: LidarModel | CameraModel, parameter: str, share: float) -> Sample:
    """The sample with every response of a sensor off but one, at a share of the way to its furthest bound."""
    off, (ideal, strong) = _off(sample, sensor, model), _ends(model, parameter)
    value = ideal + share * (strong - ideal)
    if parameter == "raw_bits":
        value = BITS[LEVELS.index(share)]
    elif parameter == "overlap":
        value = strong + share * (ideal - strong)
    elif parameter == "range_10pct" and share:
        value = strong / share
    company = next((group for group in (AIR, GLARE) if parameter in group and parameter != "range_10pct"), {})
    shaped = {n: v for names, base in SHAPED if parameter in names for n, v in base.items() if n in model.response}
    values = {**off.sensors[sensor], **company, **shaped, parameter: value}
    return replace(off, sensors={**off.sensors, sensor: values}, hints={**off.hints, **(FOGGY if company is AIR else {})})


def _off(sample: Sample, sensor: str, model: LidarModel | CameraModel) -> Sample:
    """The sample with the responses of a sensor at their ideal values; constants keep theirs, for they are what the device is, but for time's."""
    from tailgate.sensors import ideal
    from tailgate.sensors.timing import Timing

    perfect, times = ideal(model), {f.name for f in fields(Timing)}
    fixed = {n: s for n, s in model.response.items() if not isinstance(s.dist, Ranged) and n not in times}
    values = {n: float(fixed[n].dist.sample(None)) if n in fixed else perfect.get(n, 0.0) for n in model.response}
    return replace(sample, sensors={**sample.sensors, sensor: values})


def _only(frame: Frame, sensor: str) -> Frame:
    return replace(frame, sensors={sensor: frame.sensors[sensor]})
