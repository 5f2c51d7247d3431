"""Neither the rig nor an object is put inside something solid of the base scene."""

import numpy as np
import pytest
import stage_kit as kit
from small_street import asset_cache, draw, small_budget, small_rig, small_scenario
from tailgate.randomize.scenario import open_scenario
from tailgate.stage.marks import mark_context


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    """A floor that is a context, and on it a closed block of 2.4 x 4 x 2.4 m beside its middle."""
    stage = kit.new_stage()
    kit.ground(stage, "/World/floor", half=3)
    kit.box(stage, "/World/block", (0.3, -2, 0), (2.7, 2, 2.4))
    mark_context(stage, "/World/floor", "surface", stage.GetRootLayer())
    path = tmp_path_factory.mktemp("floor") / "floor.usda"
    stage.GetRootLayer().Export(str(path))
    randomizers = [{"use": "camera.rig_pose"}, {"use": "placement.contexts"}, {"use": "distractors.scatter"}]
    opened = open_scenario(small_scenario(path, randomizers=randomizers), small_budget(), small_rig(), asset_cache())
    yield opened
    opened.close()


def test_everything_stays_out_of_it(opened):
    low, high = np.array([0.3, -2, 0]), np.array([2.7, 2, 2.4])
    eyes, placed = [], []
    for index in range(40):
        sample = draw(opened, index)
        eyes.append(opened.views.eye(np.array(sample.values["camera.rig_pose"]["poses"][0])))
        for values in sample.values.values():
            placed += [entry["poses"][0][:3] for entry in values.get("objects", []) if isinstance(entry, dict) and "poses" in entry]
    assert len(placed) > 10
    for name, points in (("rig", np.array(eyes)), ("objects", np.array(placed) + [0, 0, 0.3])):
        assert not ((points > low) & (points < high)).all(1).any(), name
    assert (np.array(eyes)[:, 0] > 0).any(), "it is turned, not always on the other side"
