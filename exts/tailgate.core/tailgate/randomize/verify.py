"""Checks on the rendered frame: did the clip show what its cell asked for, and what counts for which cell."""

from __future__ import annotations

from dataclasses import dataclass

from tailgate.config.budget import Budget, Cell, Output
from tailgate.frames import Frame, Sample
from tailgate.randomize.views import primary_sensor


@dataclass(frozen=True)
class Sighting:
    """How an object was seen by the sensor that counts it.

    Attributes:
        seen: enough pixels in one camera, or enough LiDAR returns over all LiDARs.
        range: distance from the sensor to the box centre [m].
        occluded: hidden share as that sensor sees it, 0..1.
    """

    seen: bool
    range: float
    occluded: float


def sight(frame: Frame, row: int, output: Output) -> Sighting:
    """Sighting of one object: by the first camera that sees enough of it, else by the LiDAR with the most returns.

    Range and occlusion of an object that is not seen are those of the primary sensor.
    """
    for sensor in frame.sensors.values():
        if sensor.kind == "camera" and sensor.view.visible[row] >= output.min_pixels:
            return Sighting(True, float(sensor.view.range[row]), float(sensor.view.occluded[row]))
    lidars = [s for s in frame.sensors.values() if s.kind == "lidar"]
    if lidars and sum(int(s.view.visible[row]) for s in lidars) >= output.min_lidar_hits:
        best = max(lidars, key=lambda s: int(s.view.visible[row]))
        return Sighting(True, float(best.view.range[row]), float(best.view.occluded[row]))
    main = frame.sensors[primary_sensor({n: s.kind for n, s in frame.sensors.items()})].view
    return Sighting(False, float(main.range[row]), float(main.occluded[row]))


def in_range(cell: Cell, sighting: Sighting) -> bool:
    """Range inside the cell's interval, ends included."""
    return cell.range is None or cell.range[0] <= sighting.range <= cell.range[1]


def in_occlusion(cell: Cell, sighting: Sighting) -> bool:
    """Hidden share inside the cell's interval, ends included."""
    return cell.occlusion is None or cell.occlusion[0] <= sighting.occluded <= cell.occlusion[1]


def in_conditions(cell: Cell, conditions: dict[str, str]) -> bool:
    """Light and weather as the cell pins them."""
    return all(want is None or conditions.get(name) == want for name, want in (("light", cell.light), ("weather", cell.weather)))


def check_target(frame: Frame, sample: Sample, cell: Cell | None, output: Output) -> list[str]:
    """Reason codes of a frame that misses its cell; empty when at least one object meets it.

    The first condition that no object of the class meets names the code: off_target_class (none was placed), off_target_visibility (none seen),
    off_target_range, off_target_occlusion; off_target_conditions when light or weather differ; empty_frame when no labelled object is seen.
    """
    if not any(int(s.view.visible.sum()) > 0 for s in frame.sensors.values() if len(s.view.visible)):
        return ["empty_frame"]
    if cell is None:
        return []
    if not in_conditions(cell, sample.conditions):
        return ["off_target_conditions"]
    sightings = [sight(frame, i, output) for i, name in enumerate(frame.objects.class_name) if name == cell.class_]
    stages = (
        ("off_target_class", lambda s: True),
        ("off_target_visibility", lambda s: s.seen),
        ("off_target_range", lambda s: in_range(cell, s)),
        ("off_target_occlusion", lambda s: in_occlusion(cell, s)),
    )
    for code, keeps in stages:
        sightings = [s for s in sightings if keeps(s)]
        if not sightings:
            return [code]
    return []


def count_instances(frame: Frame, budget: Budget) -> list[tuple[int, str]]:
    """Which objects count for which cell: (row of ``frame.objects``, cell name), for objects that are seen.

    Of several cells that match, the one that pins most conditions takes the object (a cell for all persons must not starve the one for persons at
    dusk); among equals the first of the budget.
    """
    cells = sorted(budget.cells, key=lambda c: -sum(pin is not None for pin in (c.range, c.occlusion, c.light, c.weather)))
    counted = []
    for row, name in enumerate(frame.objects.class_name):
        sighting = sight(frame, row, budget.output)
        if not sighting.seen:
            continue
        for cell in cells:
            if cell.class_ == name and in_range(cell, sighting) and in_occlusion(cell, sighting) and in_conditions(cell, frame.conditions):
                counted.append((row, cell.name))
                break
    return counted
