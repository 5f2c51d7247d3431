"""What responses remember changes none of them."""

from dataclasses import replace

import numpy as np
import warp as wp
from tailgate.calibrate.lidar import exact_scan, simulated_scans
from tailgate.calibrate.scene import street_scan
from tailgate.calibrate.tabletop import perfect_frame, random_tabletop
from tailgate.config.rig import load_sensor
from tailgate.frames import Intrinsics
from tailgate.geometry.rounding import Rounding
from tailgate.memory import recall, remembering
from tailgate.sensors.kinect import KinectResponse, respond_depth

K = Intrinsics(160, 120, 131.0, 131.0, 79.5, 59.5)
BASE = KinectResponse(
    axial_noise=2.0, noise_window=8.3, noise_rows=5.0, noise_grain=0.2, noise_period=1.5, disparity_step=0.125, depth_step=1.0, speckle=1.2,
    support=0.3, fattening=0.5, projector_offset=0.05, camera_offset=0.025, grazing_limit=80.0, dark_limit=0.01, dropout=0.01,
)  # fmt: skip


def test_remembered_responses_are_those_made_anew():
    views = [perfect_frame(random_tabletop(np.random.default_rng(k)), K).channels["distance_to_image_plane"] for k in (1, 2)]
    depths, light = [wp.array(view) for view in views], wp.full(views[0].shape, 0.3, dtype=wp.float32)
    names = [name for name, value in vars(BASE).items() if value and name != "grazing_limit"]
    changed = [{}, *({name: 1.3 * getattr(BASE, name)} for name in names), {"grazing_limit": 70.0}, {}]

    def measured():
        return [respond_depth(d, light, K, (0.4, 8.0), replace(BASE, **one), 7 + i).numpy() for one in changed for i, d in enumerate(depths)]

    anew = measured()
    with remembering():
        kept = measured()
    assert all(np.array_equal(a, b) for a, b in zip(anew, kept, strict=True))
    assert sum(not np.array_equal(anew[0], other) for other in anew[2:-2:2]) > 10


def test_remembered_scans_are_those_made_anew():
    model, _ = load_sensor("vlp16")
    model = model.model_copy(update={"columns": 360, "azimuth_error_deg": [0.1] * len(model.elevation_deg)})
    scans = [exact_scan(street_scan(model, k)) for k in (1, 2)]
    scans[1] = replace(scans[1], rounding=Rounding(0.001, np.eye(4)))
    base = {"noise_sigma": 0.01, "noise_correlation": 0.4, "drop_base": 0.05, "intensity_gain": 1.0, "bloom_level": 1e-3, "bloom_width": 0.5}
    changed = [{}, *({name: 1.3 * value} for name, value in base.items()), {}]

    def measured():
        return [[block.counts for scan in simulated_scans(scans, model, base | one, 3) for block in scan] for one in changed]

    anew = measured()
    with remembering():
        kept = measured()
    np.testing.assert_equal(kept, anew)


def test_a_slot_holds_what_it_was_last_asked_for_and_nothing_outside():
    made = []

    def make(value):
        made.append(value)
        return value

    assert [recall("slot", k, lambda k=k: make(k)) for k in (1, 1)] == [1, 1] and made == [1, 1]
    with remembering():
        assert [recall("slot", k, lambda k=k: make(k)) for k in (1, 1, 2, 1)] == [1, 1, 2, 1] and made[2:] == [1, 2, 1]
    assert recall("slot", 1, lambda: make(9)) == 9
