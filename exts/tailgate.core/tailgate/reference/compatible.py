"""Whether two sets can be compared at all: same kind of sensor, units, axes and words. Each difference that would pass as a finding is refused."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence, Set
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tailgate.errors import UserError, close_to, nearest
from tailgate.frames import Frame, SensorFrame
from tailgate.reference.optics import CameraSpec, LidarSpec, Up, camera_spec, lidar_spec, up_direction
from tailgate.reference.reader import Entry, Reader

LOOKED_AT = 5
"""Frames of a set that are looked at, spread over it."""
STEP_TOLERANCE, STEP_NOTED = 0.1, 0.02
"""Relative differences of azimuth steps that are refused and that are told: rates are set a factor of two apart, and a head keeps its own within 1 to
2 %, but not always the nominal one (the HDL-64E of KITTI turns 3.4 % slower)."""
ELEVATION_TOLERANCE = (3.0, 0.1)
"""Difference of the outermost beams that counts as the same: [deg], or share of the field of view; outermost beams often see nothing."""
FOCAL_TOLERANCE = 0.05
"""Relative difference of focal lengths that counts as the same: widths and slopes are measured in pixels."""
UNITS = {"millimetres": 1e-3, "centimetres": 1e-2, "inches": 0.0254}
SCENES_APART = 30.0
"""Ratio of median distances that no two scenes of one sensor have; cm (100), inches (39) and mm (1000) lie above it."""
DISTANCES = {"lidar": (0.3, 500.0), "rgbd": (0.05, 100.0)}
"""Median distance [m] that a sensor of each modality can have."""
NEAR_BOXES = (5, 30.0)
"""So many boxes within so many metres [m] cannot all be without a return, unless they lie in another frame than the points."""
TURNED_DEG = 45.0
"""Angle between the up directions above which axes, not mounts, differ."""
INTENSITIES_APART = 50.0
"""Ratio of the brightest returns that no surface explains; 0-1 divided by 255 lies above it."""


@dataclass(frozen=True)
class Side:
    """Some frames of one set.

    Attributes:
        root: the folder, as complaints name it.
        frames: frame name -> frame.
    """

    root: Path
    frames: dict[str, Frame]

    @classmethod
    def of(cls, root: Path, reader: Reader, entries: Sequence[Entry]) -> Side:
        """Up to LOOKED_AT frames, spread evenly."""
        places = np.unique(np.linspace(0, len(entries) - 1, min(LOOKED_AT, len(entries))).round().astype(int))
        return cls(root, {entries[i].name: reader.read(entries[i].name) for i in places})

    def sensors(self, modality: str) -> Iterator[tuple[str, str, SensorFrame]]:
        """(frame name, sensor name, sensor) of a modality: "lidar", "rgbd" (a camera with measured depth) or "colour"."""
        for frame_name, frame in self.frames.items():
            for name, sensor in frame.sensors.items():
                if modality_of(sensor) == modality:
                    yield frame_name, name, sensor

    @property
    def modalities(self) -> set[str]:
        """Modalities that the frames hold."""
        return {modality_of(s) for f in self.frames.values() for s in f.sensors.values()}

    @property
    def sizes(self) -> dict[str, np.ndarray]:
        """Class -> median length, width, height of its boxes [m]; NaN where it has none."""
        found: dict[str, list[np.ndarray]] = {}
        for frame in self.frames.values():
            for name, size in zip(frame.objects.class_name, frame.objects.size, strict=True):
                found.setdefault(name, []).append(np.asarray(size, dtype=np.float64))
        return {name: np.median(rows, axis=0) for name, rows in sorted(found.items())}


def modality_of(sensor: SensorFrame) -> str:
    """ "lidar", "rgbd" or "colour"."""
    return "lidar" if sensor.kind == "lidar" else "rgbd" if "valid" in sensor.channels else "colour"


def check_compatible(real: Side, synthetic: Side) -> list[str]:
    """Refuse sets that cannot be compared.

    Args:
        real: frames of the reference.
        synthetic: frames of the set to judge.

    Returns:
        Sentences that every output must repeat.

    Raises:
        UserError: names the folder and frame, both values and the likely cause.
    """
    shared = real.modalities & synthetic.modalities
    if not shared:
        raise UserError(f"must hold the reference's kind of sensor ({_kinds(real)}), got {_kinds(synthetic)}", synthetic.root)
    only = sorted(real.modalities ^ synthetic.modalities)
    notes = [f"Only one side holds {', '.join(only)}: {', '.join(sorted(shared))} is compared."] if only else []
    for side in (real, synthetic):
        check_side(side, shared)
    for modality in sorted(shared & {"lidar", "rgbd"}):
        _check_units(real, synthetic, modality)
    if "lidar" in shared:
        _check_lidars(real, synthetic, _beam_difference)
        _check_up(real, synthetic)
        _check_lidars(real, synthetic, _lidar_difference)
        notes += _step_notes(real, synthetic) + _intensity_notes(real, synthetic)
    if "rgbd" in shared:
        notes += _check_cameras(real, synthetic)
    return notes + _check_classes(real, synthetic)


def check_side(side: Side, modalities: Set[str]) -> None:
    """Refuse a set that is wrong whatever it is compared with: another unit, intensities beyond 1, sensors that change from frame to frame."""
    for modality in sorted(modalities & {"lidar", "rgbd"}):
        _check_distance(side, modality)
    _check_intensity(side)
    _check_mixed(side)
    _check_boxes(side)


def _kinds(side: Side) -> str:
    return ", ".join(sorted(side.modalities)) or "no sensor"


def _at(side: Side, frame: str) -> Path:
    return side.root / frame


def _distances(sensor: SensorFrame) -> np.ndarray:
    """Measured distances [m]."""
    if sensor.kind == "lidar":
        values = np.asarray(sensor.channel("range"))
        return values[np.isfinite(values) & (values > 0)]
    depth = np.asarray(sensor.channel("distance_to_image_plane"))
    return depth[np.isfinite(depth) & (depth > 0)]


def median_distance(side: Side, modality: str) -> float:
    """Median over frames of the median measured distance [m]; UserError where nothing was measured."""
    found = [d for _, _, s in side.sensors(modality) if len(d := _distances(s))]
    if not found:
        raise UserError(f"holds {modality} frames without a single measured distance", side.root)
    return float(np.median([np.median(d) for d in found]))


def _check_distance(side: Side, modality: str) -> None:
    low, high = DISTANCES[modality]
    for frame, name, sensor in side.sensors(modality):
        values = _distances(sensor)
        median = float(np.median(values)) if len(values) else low
        if not low <= median <= high:
            likely = "millimetres or centimetres read as metres" if median > high else "metres read as millimetres"
            raise UserError(
                f"the median distance of {modality} '{name}' must lie in {low:g}-{high:g} m, got {median:.4g} m ({likely}?)", _at(side, frame)
            )


def _check_units(real: Side, synthetic: Side, modality: str) -> None:
    ours, theirs = median_distance(synthetic, modality), median_distance(real, modality)
    ratio = max(ours, theirs) / min(ours, theirs)
    if ratio > SCENES_APART:
        unit = min(UNITS, key=lambda u: abs(np.log(ratio * UNITS[u])))
        way = f"{unit} read as metres" if ours > theirs else f"metres read as {unit}"
        raise UserError(f"the median {modality} distance is {ours:.3g} m against {theirs:.3g} m in the reference ({way}?)", synthetic.root)


def _check_intensity(side: Side) -> None:
    for frame, name, sensor in side.sensors("lidar"):
        intensity = np.asarray(sensor.channels.get("intensity", np.zeros(1)))
        high = float(np.nanmax(intensity)) if intensity.size else 0.0
        if high > 1.0 + 1e-3 or float(np.nanmin(intensity, initial=0.0)) < 0:
            raise UserError(f"intensity of '{name}' must lie in 0..1, got up to {high:g} (0-255?)", _at(side, frame))


def _step_notes(real: Side, synthetic: Side) -> list[str]:
    """How much denser or coarser the columns are, where that is more than a motor's own unsteadiness."""
    ours, theirs = ({lidar_spec(s).step_deg for _, _, s in side.sensors("lidar")} for side in (synthetic, real))
    a, b = min(((a, b) for a in ours for b in theirs), key=lambda pair: abs(pair[0] / pair[1] - 1))
    return [f"LiDAR columns lie {a:.4f} deg apart against {b:.4f} deg in the reference."] if abs(a / b - 1) > STEP_NOTED else []


def _intensity_notes(real: Side, synthetic: Side) -> list[str]:
    bright = {}
    for side in (real, synthetic):
        lit = [s.points().get("intensity", np.zeros(1)) for _, _, s in side.sensors("lidar")]
        bright[side.root] = float(np.median([np.quantile(v, 0.99) if len(v) else 0.0 for v in lit]))
    dark = [root for root, value in bright.items() if value == 0]
    if dark:
        return [f"{dark[0].name} has no intensity: it is 0 everywhere."]
    theirs, ours = bright[real.root], bright[synthetic.root]
    if max(ours / theirs, theirs / ours) > INTENSITIES_APART:
        raise UserError(
            f"the brightest 1 % of returns have intensity {ours:.3g} against {theirs:.3g} in the reference: one scale is not 0..1", synthetic.root
        )
    return []


def _check_mixed(side: Side) -> None:
    """All frames of a side come from the same sensors; colour cameras may differ, their images are not compared pixel by pixel."""
    first: dict[str, tuple[str, LidarSpec | CameraSpec]] = {}
    for modality, spec_of in (("lidar", lidar_spec), ("rgbd", camera_spec)):
        for frame, name, sensor in side.sensors(modality):
            spec = spec_of(sensor)
            earlier, other = first.setdefault(name, (frame, spec))
            differs = _difference(other, spec)
            if differs:
                raise UserError(f"sensor '{name}' must be the same in every frame: {differs} (frame {earlier} against {frame})", _at(side, frame))


def _check_boxes(side: Side) -> None:
    count, distance = NEAR_BOXES
    views = [sensor.view for _, _, sensor in side.sensors("lidar")]
    visible = np.concatenate([np.zeros(0), *(v.visible[v.range < distance] for v in views)])
    if len(visible) >= count and not visible.any():
        raise UserError(f"{len(visible)} boxes within {distance:g} m hold no return: boxes and points are not in one frame or unit", side.root)


def _difference(a: LidarSpec | CameraSpec, b: LidarSpec | CameraSpec) -> str:
    """The first way in which two sensors differ, "" for none."""
    if isinstance(a, LidarSpec) and isinstance(b, LidarSpec):
        return _lidar_difference(a, b)
    if isinstance(a, CameraSpec) and isinstance(b, CameraSpec):
        if (a.width, a.height) != (b.width, b.height):
            return f"{a.width} x {a.height} against {b.width} x {b.height} px"
        return _focal_difference(a, b)
    return "a LiDAR against a camera"


def _beam_difference(a: LidarSpec, b: LidarSpec) -> str:
    return f"{a.beams} beams against {b.beams}" if a.beams != b.beams else ""


def _lidar_difference(a: LidarSpec, b: LidarSpec) -> str:
    if a.beams != b.beams:
        return _beam_difference(a, b)
    if abs(a.step_deg / b.step_deg - 1) > STEP_TOLERANCE:
        return f"{a.step_deg:.4f} deg between columns against {b.step_deg:.4f}"
    allowed = max(ELEVATION_TOLERANCE[0], ELEVATION_TOLERANCE[1] * (a.high_deg - a.low_deg))
    if max(abs(a.low_deg - b.low_deg), abs(a.high_deg - b.high_deg)) > allowed:
        return f"elevations {a.low_deg:.1f} to {a.high_deg:.1f} deg against {b.low_deg:.1f} to {b.high_deg:.1f}"
    return ""


def _focal_difference(a: CameraSpec, b: CameraSpec) -> str:
    return f"focal length {a.focal:.1f} px against {b.focal:.1f} px" if abs(a.focal / b.focal - 1) > FOCAL_TOLERANCE else ""


def _check_lidars(real: Side, synthetic: Side, difference: Callable[[LidarSpec, LidarSpec], str]) -> None:
    """Every synthetic LiDAR has a counterpart in the reference."""
    theirs = {name: lidar_spec(sensor) for _, name, sensor in real.sensors("lidar")}
    for frame, name, sensor in synthetic.sensors("lidar"):
        differences = {other: difference(lidar_spec(sensor), spec) for other, spec in theirs.items()}
        if all(differences.values()):
            other, differs = next(iter(differences.items()))
            raise UserError(f"LiDAR '{name}' must be the reference's '{other}': {differs}", _at(synthetic, frame))


def _check_cameras(real: Side, synthetic: Side) -> list[str]:
    theirs = {name: camera_spec(sensor) for _, name, sensor in real.sensors("rgbd")}
    notes = set()
    for frame, name, sensor in synthetic.sensors("rgbd"):
        ours = camera_spec(sensor)
        if all(_focal_difference(ours, spec) for spec in theirs.values()):
            other, spec = next(iter(theirs.items()))
            differs = _focal_difference(ours, spec)
            raise UserError(
                f"camera '{name}' must see as the reference's '{other}', whose depth is judged in pixels: {differs}", _at(synthetic, frame)
            )
        sizes = {(s.width, s.height) for s in theirs.values()}
        if (ours.width, ours.height) not in sizes:
            width, height = min(sizes)
            notes.add(f"Images are {ours.width} x {ours.height} px against {width} x {height} in the reference, at the same focal length.")
    return sorted(notes)


def _check_up(real: Side, synthetic: Side) -> None:
    """Every synthetic LiDAR has its up where one of the reference has it (a rig may carry one upside down)."""
    theirs, ours = _ups(real), _ups(synthetic)
    for name, up in ours.items():
        if theirs and all(_turned(up, other) for other in theirs.values()):
            other, there = next(iter(theirs.items()))
            camera = " (camera axes?)" if up.word in ("-y", "y") else ""
            raise UserError(
                f"up is {up.word} in the frame of LiDAR '{name}', {there.word} in that of the reference's '{other}'{camera}", synthetic.root
            )


def _ups(side: Side) -> dict[str, Up]:
    """Up direction of each LiDAR, where it can be told."""
    clouds: dict[str, list[np.ndarray]] = {}
    for _, name, sensor in side.sensors("lidar"):
        clouds.setdefault(name, []).append(sensor.points()["xyz"])
    return {name: up for name, found in clouds.items() if (up := up_direction(found)) is not None}


def _turned(a: Up, b: Up) -> bool:
    cosine = float(a.axis @ b.axis)
    return (cosine if a.signed and b.signed else abs(cosine)) < np.cos(np.deg2rad(TURNED_DEG))


def _check_classes(real: Side, synthetic: Side) -> list[str]:
    """A class that the reference spells otherwise is refused; one that it did not show may be rare there, so that is a note."""
    theirs, ours = real.sizes, synthetic.sizes
    words = (set(theirs) | {name for f in real.frames.values() for name in f.labels}) - {"background"}
    unknown = [name for name in ours if name not in words]
    spelled = {name: same[0] for name in unknown if (same := [w for w in sorted(words) if _plain(w) & _plain(name)])}
    if spelled:
        raise UserError(_respelled(spelled), synthetic.root)
    _check_swapped(theirs, ours, synthetic.root)
    return _unmet(unknown, words) if theirs else []


def _respelled(spelled: dict[str, str]) -> str:
    """All classes that the reference spells otherwise, and the label map that renames them."""
    names, words = (", ".join(f"'{name}'" for name in side) for side in (spelled, spelled.values()))
    said, them = (f"classes {names} are {words}", "them") if len(spelled) > 1 else (f"class {names} is {words}", "it")
    return f"{said} in the reference; rename {them} with --labels FILE that holds «classes: {json.dumps(spelled, ensure_ascii=False)}»"


def _unmet(unknown: list[str], words: set[str]) -> list[str]:
    """One note on classes that the reference did not show."""
    if len(unknown) == 1:
        return [f"Class '{unknown[0]}' was not met in the reference{nearest(unknown[0], words)}; --labels can rename it."]
    named = ", ".join(f"'{name}'{close_to(name, words)}" for name in unknown)
    known = f" (known: {', '.join(sorted(words))})" if words else ""
    return [f"Classes {named} were not met in the reference{known}; --labels can rename them."] if unknown else []


def _plain(name: str) -> set[str]:
    """Spellings that count as one: letters and digits in lower case, of the whole name and of its last part."""
    return {"".join(c for c in part.lower() if c.isalnum()) for part in (name, re.split(r"[./]", name)[-1])}


def _check_swapped(theirs: dict[str, np.ndarray], ours: dict[str, np.ndarray], root: Path) -> None:
    """Two classes whose boxes fit each other's (within 1.5) and not their own (beyond 2) have changed places."""

    def apart(a: np.ndarray, b: np.ndarray) -> float:
        if not (np.isfinite(a) & np.isfinite(b) & (a > 0) & (b > 0)).all():
            return np.nan
        return float(np.exp(np.abs(np.log(a / b)).max()))

    shared = [name for name in ours if name in theirs]
    for i, a in enumerate(shared):
        for b in shared[i + 1 :]:
            own = min(apart(ours[a], theirs[a]), apart(ours[b], theirs[b]))
            crossed = max(apart(ours[a], theirs[b]), apart(ours[b], theirs[a]))
            if own > 2 and crossed < 1.5:
                raise UserError(f"classes '{a}' and '{b}' look swapped: boxes of each have the size that the reference's other has", root)
