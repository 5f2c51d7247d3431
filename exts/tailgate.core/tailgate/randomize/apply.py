"""Applying a sample: values only, in one change block."""

from __future__ import annotations

from typing import Any

from tailgate.frames import Frame, Sample
from tailgate.randomize.scenario import OpenScenario


def apply_sample(scenario: OpenScenario, sample: Sample, tick: int = 0) -> None:
    """Write one tick of a sample to the frame layer.

    What the sample does not mention goes back to its default, so the stage depends on (sample, tick) alone and not on what was applied
    before. The root layer and the edit target are not touched.
    """
    with scenario.layers.frame.update() as frame:
        for randomizer in scenario.randomizers:
            if randomizer.name in sample.values:
                randomizer.apply(frame, sample.values[randomizer.name], tick)


def annotate_frame(scenario: OpenScenario, sample: Sample, frame: Frame) -> dict[str, Any]:
    """Labels of a frame by each randomizer of kind "annotation"; the true labels stay as they are."""
    annotators = [r for r in scenario.randomizers if r.kind == "annotation" and r.name in sample.values]
    return {r.name: r.annotate(frame, sample.values[r.name]) for r in annotators}
