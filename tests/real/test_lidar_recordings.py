"""KITTI and AV2 recordings: read, measured, and a response fitted to two of three places that also suits the third."""

from dataclasses import replace

import numpy as np
import pytest
from tailgate.calibrate.beam_errors import beam_errors
from tailgate.calibrate.lidar import fit_response
from tailgate.calibrate.scene import street_scan
from tailgate.calibrate.storage import find_storage
from tailgate.config.budget import Reference
from tailgate.config.rig import load_sensor, resolve
from tailgate.config.sensor import Storage
from tailgate.reference import open_reference
from tailgate.reference.calibration import rig_from
from tailgate.sensors import nominal
from tailgate.sensors.lidar import respond_lidar
from tailgate.validate.lidar_statistics import LIDAR_STATISTICS, lidar_sketches, measure_cells, sector_of
from tailgate.validate.sketch import Sketch, compare, summarize

SPLIT = {"feedback": ["000000", "000001"], "holdout": ["000002"]}
SWEEP = "7fab2350/315966265259836000"


@pytest.fixture(scope="module")
def kitti(kitti_root, data_root):
    return open_reference(Reference(kind="kitti", root="kitti", split=SPLIT), data_root)


@pytest.fixture(scope="module")
def av2(data_root):
    if not (data_root / "av2" / "7fab2350").is_dir():
        pytest.skip("no AV2 log under the data root")
    return open_reference(Reference(kind="av2", root="av2"), data_root)


@pytest.fixture(scope="module")
def sweeps(kitti):
    return {name: kitti.read(name).sensors["lidar"] for names in kitti.split.values() for name in names}


def test_kitti_grid_is_recovered(kitti, sweeps):
    assert not kitti.weak and kitti.split == {**SPLIT, "audit": []}
    for scan in sweeps.values():
        rng = scan.channel("range")[..., 0]
        assert rng.shape[0] == 64 and 2100 < rng.shape[1] < 2200
        assert (np.diff(np.median(scan.channel("elevation"), axis=1)) < 0).all()
    # Road that every firing of a lower beam meets leaves hardly a cell empty: the columns are the firings.
    assert (sweeps["000002"].channel("range")[35:40, :, 0] > 0).mean() > 0.99


def test_kitti_points_lie_where_they_were(data_root, kitti, sweeps):
    stored = np.fromfile(data_root / "kitti/velodyne/000001.bin", "<f4").reshape(-1, 4)[:, :3]
    found = sweeps["000001"].points()["xyz"]
    assert len(found) >= 0.999 * len(stored)
    key = {tuple(p) for p in np.round(stored.astype(np.float64), 2)}
    near = np.round(found.astype(np.float64), 2)
    assert np.mean([tuple(p) in key for p in near[::500]]) > 0.9


def test_kitti_boxes_hold_returns(kitti):
    frame = kitti.read("000000")
    assert frame.objects.class_name == ["Pedestrian"]
    view = frame.sensors["lidar"].view
    assert view.visible[0] > 300 and view.alone[0] >= view.visible[0] and 8.0 < view.range[0] < 10.0
    assert frame.sensors["camera"].channel("rgb").shape[2] == 4


def test_av2_beams_are_those_of_the_manual(av2):
    assert av2.weak and any("one place" in n for n in av2.notes)
    model, _ = load_sensor("vlp32c")
    frame = av2.read(SWEEP)
    for scan in frame.sensors.values():
        np.testing.assert_allclose(np.median(scan.channel("elevation"), axis=1), model.elevation_deg, atol=0.06)
        across = np.std(np.unwrap(np.deg2rad(scan.channel("azimuth").astype(np.float64)), axis=0), axis=0)
        assert np.rad2deg(np.median(across)) < 0.15


def test_av2_returns_inside_boxes_are_the_declared_ones(av2, data_root):
    boxes = np.load(data_root / "av2/7fab2350/annotations.npz", allow_pickle=False)
    declared = int(boxes["num_interior_pts"][boxes["timestamp_ns"] == int(SWEEP.split("/")[1])].sum())
    counted = sum(int(s.view.visible.sum()) for s in av2.read(SWEEP).sensors.values())
    # A return inside two boxes is declared twice and counted once.
    assert 0.95 * declared < counted <= declared


def test_storage_is_found_in_recordings(data_root, av2, sweeps):
    assert find_storage(list(sweeps.values())).storage == Storage(coordinates=0.001)
    for scan in av2.read(SWEEP).sensors.values():
        assert find_storage([scan]).storage == load_sensor("vlp32c_av2")[0].storage
        stored = np.load(data_root / f"av2/{SWEEP.replace('/', '/lidar_')}.npz")["xyz"]
        back = scan.rounding.stored(scan.points()["xyz"].astype(np.float64)).astype(np.float16)
        assert np.isin(back.view("u2,u2,u2").ravel(), stored.astype(np.float16).view("u2,u2,u2").ravel()).mean() > 0.999


def test_errors_of_av2_beams_hold_on_a_quarter_turn_they_were_not_taken_from(av2):
    """Median distance of returns from their planes, without the errors found on the other three quarters."""
    scan = av2.read(SWEEP).sensors["up_lidar"]
    range_, azimuth = (np.asarray(scan.channel(name)) for name in ("range", "azimuth"))
    before, after = [], []
    for turn in range(4):
        held = (sector_of(azimuth) // 3 == turn)[..., None]
        parts = [replace(scan, channels={**scan.channels, "range": np.where(part, range_, 0).astype(np.float32)}) for part in (held, ~held)]
        found = beam_errors(parts[1:])
        off, aside = (np.array([e.value for e in kind]) for kind in (found.range, found.azimuth))
        moved = np.where(held & (range_ > 0), range_ - off[:, None, None], 0.0).astype(np.float32)
        mended = replace(scan, channels={**scan.channels, "range": moved, "azimuth": (azimuth - aside[:, None]).astype(np.float32)})
        for side, seen in ((before, parts[0]), (after, mended)):
            cells = measure_cells(seen)
            side.append(np.median(np.abs(cells.residual[cells.noise_stratum >= 0])))
    assert np.mean(after) < 0.75 * np.mean(before)


def test_the_av2_rig_matches_its_calibration(data_root, av2):
    rig = resolve(rig_from("av2:av2/7fab2350/calibration.json", data_root))
    frame = av2.read(SWEEP)
    for name, scan in frame.sensors.items():
        np.testing.assert_allclose(rig.sensors[name].T_rig_sensor, scan.T_world_sensor[0], atol=1e-9)


def test_one_sweep_is_measured_in_time(sweeps):
    import time

    lidar_sketches(sweeps["000000"])
    times = []
    for scan in sweeps.values():
        start = time.process_time()
        lidar_sketches(scan)
        times.append(time.process_time() - start)
    assert min(times) < 0.3


@pytest.mark.slow
def test_a_fitted_response_is_closer_to_feedback_and_holdout(sweeps):
    model, _ = load_sensor("hdl64e")
    blocks = {name: lidar_sketches(scan) for name, scan in sweeps.items()}
    feedback = [b for name in SPLIT["feedback"] for b in blocks[name]]
    found = fit_response(feedback, [street_scan(model, k) for k in range(4)], model, model.response).estimates
    prior = nominal(model)
    fitted = {**prior, **{name: e.value for name, e in found.items()}}
    streets = [street_scan(model, k) for k in (10, 11, 12)]

    def measured(params):
        scans = [replace(s, channels=respond_lidar(s, model, params, k)) for k, s in enumerate(streets)]
        return Sketch.total(b for s in scans for b in lidar_sketches(s))

    before, after = measured(prior), measured(fitted)
    for part in (Sketch.total(feedback), Sketch.total(blocks["000002"])):
        far, near = (summarize(compare(part, side, LIDAR_STATISTICS)) for side in (before, after))
        for name in ("range_noise", "hole_rate", "intensity"):
            assert near[name] < far[name], (name, far, near)
