"""RGB-D recordings: the reader, and a response fitted to some scenes tested on others."""

import numpy as np
import pytest
from tailgate.calibrate.depth import FITTED, fit_depth_response, perfect_views, simulated_sketches
from tailgate.config.budget import Reference
from tailgate.config.rig import load_sensor
from tailgate.reference import open_reference
from tailgate.reference.mosd import MosdReader
from tailgate.sensors import nominal
from tailgate.validate.depth_statistics import depth_sketches
from tailgate.validate.sketch import Sketch, compare, summarize


def test_labelled_scenes(data_root):
    reference = open_reference(Reference(kind="mosd", root="rgbd_mosd"), data_root)
    assert len(reference.groups) == 45 and not reference.weak
    sensor = reference.read("learn0").sensors["kinect"]
    depth, valid = sensor.channels["distance_to_image_plane"], sensor.channels["valid"]
    assert depth.shape == (480, 640) and np.array_equal(np.isfinite(depth), valid > 0)
    assert np.array_equal(sensor.channels["semantic_segmentation"] > 0, valid > 0)
    assert sensor.view.visible.tolist() == [(sensor.channels["instance_segmentation"] == i).sum() for i in (2, 3)]
    assert 0.4 < depth[valid > 0].min() < depth[valid > 0].max() < 2.0


def test_sequence(data_root):
    reference = open_reference(Reference(kind="mosd", root="rgbd_7scenes"), data_root)
    sensor = reference.read("frame-000040").sensors["kinect"]
    assert reference.weak and sensor.intrinsics.fx == 585.0
    assert 0.5 < sensor.channels["valid"].mean() < 1.0
    assert depth_sketches(sensor)[0].counts["depth_noise"].sum() > 10_000


@pytest.mark.slow
def test_fitted_response_is_nearer_on_scenes_it_never_saw(data_root):
    model, _ = load_sensor("kinect_v1")
    reader = MosdReader(data_root / "rgbd_mosd", {})
    names = [e.name for e in reader.entries()]
    sketches = {n: depth_sketches(reader.read(n).sensors["kinect"], colour=False)[0] for n in names}
    holdout = names[2::3]
    views = perfect_views(model, 4, 0)
    fit = fit_depth_response([sketches[n] for n in names if n not in holdout], views, model, 0)
    prior = nominal(model)
    fitted = {**prior, **{name: e.value for name, e in fit.estimates.items()}}
    real = Sketch.total(sketches[n] for n in holdout)
    before, after = (summarize(compare(real, Sketch.total(simulated_sketches(views, model, p, 5)), FITTED)) for p in (prior, fitted))
    for name in ("depth_noise", "depth_noise_fine", "edge_fattening", "depth_hole_rate"):
        assert after[name] < before[name], (name, before[name], after[name])
    assert fit.estimates["axial_noise"].identifiable and fit.estimates["projector_offset"].identifiable
