"""Applying a sample: values only, in one change block."""

from __future__ import annotations

from tailgate.frames import Sample
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


def reset(scenario: OpenScenario) -> None:
    """Write the defaults: nothing of the pool is shown, materials and lights are the base scene's own."""
    scenario.layers.frame.reset()
