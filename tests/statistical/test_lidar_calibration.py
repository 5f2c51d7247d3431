"""A hidden response and a hidden firing grid are found again on other streets."""

from dataclasses import replace

import numpy as np
import pytest
from point_list import reorganise
from tailgate.calibrate.beam_errors import beam_errors, unnamed
from tailgate.calibrate.bench import LidarBench
from tailgate.calibrate.estimate import Estimate
from tailgate.calibrate.holdout import Recorded
from tailgate.calibrate.lidar import SEEN_BY, fit_response, simulated_scans
from tailgate.calibrate.lidar_grid import estimate_grid
from tailgate.calibrate.scene import street_scan
from tailgate.calibrate.storage import find_storage
from tailgate.config.rig import load_sensor, pose
from tailgate.config.sensor import Mount, Storage
from tailgate.errors import UserError
from tailgate.sensors import nominal
from tailgate.sensors.lidar import respond_lidar
from tailgate.validate.lidar_statistics import LIDAR_STATISTICS, lidar_sketches
from tailgate.validate.sketch import Sketch, compare, summarize

HALF = Storage(coordinates="float16", frame="rig")


@pytest.fixture(scope="module")
def device():
    """A 64-beam device of 720 columns."""
    return load_sensor("hdl64e")[0].model_copy(update={"columns": 720})


def _scans(model, seeds, params):
    streets = [street_scan(model, s) for s in seeds]
    return [replace(s, channels=respond_lidar(s, model, params, 100 + k)) for k, s in zip(seeds, streets, strict=True)]


def _blocks(model, seeds, params):
    return [b for scene in simulated_scans([street_scan(model, s) for s in seeds], model, params, 77) for b in scene]


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
def test_a_hidden_response_is_found_on_other_streets(device, seed):
    """Every setting drawn anew within its bounds. What counts as identified is found within 10 %, and intervals hold the truth (benchmarks/truth.py
    counts how often)."""
    device = device.model_copy(update={"columns": 360})
    draw, free = np.random.default_rng(seed), {n: device.response[n].dist for n in SEEN_BY}
    hidden = {n: d._from_unit(0.15 + 0.7 * draw.random()) for n, d in free.items()}
    blocks = _blocks(device, range(100 + 10 * seed, 110 + 10 * seed), {**nominal(device), **hidden})
    found = fit_response(blocks, [street_scan(device, k) for k in range(16)], device, device.response)
    assert found.distance < 0.4 * found.distance_prior
    sharp = {n: e for n, e in found.estimates.items() if e.state == "identified"}
    assert "drop_correlation" in sharp
    for name, estimate in sharp.items():
        assert estimate.value == pytest.approx(hidden[name], rel=0.1), name
    # Ten streets of 360 columns tell it to a quarter: it is held to its interval, and the interval to saying something.
    incidence = found.estimates["noise_incidence"]
    assert incidence.low <= hidden["noise_incidence"] <= incidence.high and incidence.margin < 0.35
    assert np.mean([e.low <= hidden[n] <= e.high for n, e in found.estimates.items() if e.identifiable]) >= 0.9
    fitted = {**nominal(device), **{n: e.value for n, e in found.estimates.items()}}
    real = Sketch.total(blocks)
    # What is left with the hidden parameters themselves is the difference between streets.
    far, near, floor = (
        summarize(compare(real, Sketch.total(_blocks(device, range(200, 206), p)), LIDAR_STATISTICS)) for p in (nominal(device), fitted, hidden)
    )
    for name in ("range_noise", "hole_rate", "intensity", "noise_spectrum", "intensity_texture"):
        # Six streets measure the floor to a tenth.
        assert near[name] - floor[name] < 0.3 * (far[name] - floor[name]) + 0.1 * floor[name], (name, far, near, floor)


def test_constant_settings_stay_and_missing_input_is_named(device):
    scan = street_scan(device, 1)
    prior = {"drop_base": device.response["drop_base"], "intensity_step": device.response["intensity_step"]}
    found = fit_response(lidar_sketches(scan), [scan], device, prior)
    assert list(found.estimates) == ["drop_base"]
    # An exact scan lost nothing.
    assert found.estimates["drop_base"].value < 0.004
    assert fit_response(lidar_sketches(scan), [scan], device, prior) == found
    with pytest.raises(UserError, match="needs reference blocks and exact scans"):
        fit_response([], [scan], device, prior)


def _inside(estimates, truth, slack):
    return np.mean([e.low - slack <= t <= e.high + slack for e, t in zip(estimates, truth, strict=True)])


def test_a_hidden_grid_is_found_from_points_alone():
    """Points, rings and nothing else: columns, beam table with its heights, and a blind sector."""
    table = load_sensor("hdl64e")[0]
    draw = np.random.default_rng(5)
    hidden = table.model_copy(
        update={
            "elevation_deg": (np.array(table.elevation_deg) + draw.normal(0, 0.3, 64)).tolist(),
            "beam_height_m": [0.2] * 32 + [0.12] * 32,
            "columns": 2161,
            "blind_sectors_deg": [(150.0, 171.0)],
            "range_step": 0.0,
        }
    )
    scans = [reorganise(s) for s in _scans(hidden, range(3), {"noise_sigma": 0.015, "drop_base": 0.02})]
    grid = estimate_grid(scans, table)
    found = grid.applied(table)
    assert abs(found.columns - hidden.columns) <= 1 and grid.columns.low <= hidden.columns <= grid.columns.high
    assert found.rate_hz == pytest.approx(10.0 * 2083 / 2161, rel=1e-3) and not grid.rate.identifiable
    np.testing.assert_allclose(found.elevation_deg, hidden.elevation_deg, atol=0.03)
    np.testing.assert_allclose(found.beam_height_m, hidden.beam_height_m, atol=0.011)
    assert _inside(grid.elevation, hidden.elevation_deg, 0.002) > 0.8
    ((first, last),) = found.blind_sectors_deg
    assert first == pytest.approx(150.0, abs=0.4) and last == pytest.approx(171.0, abs=0.4)
    assert any("no firing times" in n for n in grid.notes(table))


def test_a_hidden_grid_is_found_with_firing_times():
    table = load_sensor("vlp32c")[0]
    draw = np.random.default_rng(6)
    hidden = table.model_copy(
        update={
            "azimuth_offset_deg": (np.array(table.azimuth_offset_deg) + draw.normal(0, 0.2, 32)).tolist(),
            "columns": 904,
            "rate_hz": 19.3,
            "direction": "ccw",
        }
    )
    scans = _scans(hidden, range(2), {"noise_sigma": 0.02, "drop_base": 0.02})
    grid = estimate_grid(scans, table)
    found = grid.applied(table)
    assert found.direction == "ccw" and found.columns == 904
    assert found.rate_hz == pytest.approx(19.3, rel=2e-3) and grid.rate.identifiable
    off = np.array(found.azimuth_offset_deg) - hidden.azimuth_offset_deg
    np.testing.assert_allclose(off - off.mean(), 0.0, atol=0.03)
    np.testing.assert_allclose(found.elevation_deg, hidden.elevation_deg, atol=0.005)
    assert found.beam_height_m == [] and found.blind_sectors_deg == []


def test_hidden_range_errors_of_beams_are_found():
    """But for what neighbouring beams share, which bends no surface; a head without such errors shows none."""
    table = load_sensor("hdl64e")[0].model_copy(update={"columns": 720})
    truth = np.random.default_rng(8).normal(0.0, 0.025, 64)
    scans = _scans(table.model_copy(update={"range_offset_m": truth.tolist()}), range(4), {"noise_sigma": 0.012, "noise_correlation": 0.8})
    found = beam_errors(scans)
    assert all(e.identifiable for e in found.range) and all(e.value == 0.0 for e in found.azimuth)
    value = np.array([e.value for e in found.range])
    assert np.diff(value - truth).std() < 0.1 * np.diff(truth).std() and np.corrcoef(value, truth)[0, 1] > 0.9
    exact = beam_errors(_scans(table, range(2), {"noise_sigma": 0.012}))
    assert all(e.value == 0.0 for e in (*exact.range, *exact.azimuth))


def test_hidden_azimuth_errors_of_beams_are_found():
    """Oblique walls tell them; beams that meet the ground alone are drawn towards none and say so by their intervals."""
    table = load_sensor("vlp32c")[0].model_copy(update={"columns": 904})
    draw = np.random.default_rng(8)
    truth = {"range_offset_m": draw.normal(0.0, 0.01, 32), "azimuth_error_deg": draw.normal(0.0, 0.06, 32)}
    hidden = table.model_copy(update={name: values.tolist() for name, values in truth.items()})
    found = beam_errors(_scans(hidden, range(6), {"noise_sigma": 0.008, "noise_correlation": 0.8}))
    for estimates, true in zip((found.range, found.azimuth), truth.values(), strict=True):
        # Intervals hold what many beams share too, which is wider than differences are off: the half of the beams that is known best.
        half = np.array([e.high - e.low for e in estimates])
        told, off = half <= np.median(half), np.array([e.value for e in estimates]) - true
        assert np.diff(off[told]).std() < 0.25 * np.diff(true[told]).std()


@pytest.mark.parametrize("name,columns", [("vlp32c", 900), ("hdl64e", 720)])
def test_intervals_of_single_beams_hold_hidden_range_errors(name, columns):
    """Also what many beams share, which planes do not show: nineteen in twenty, over devices whose beams err otherwise, on the same streets.
    Differences between neighbours are known far better."""
    table = load_sensor(name)[0].model_copy(update={"columns": columns})
    scans = _scans(table, range(3), {"noise_sigma": 0.008})
    held, left, spread = [], [], []
    for seed in range(5):
        truth = np.random.default_rng(seed).normal(0.0, 0.012, len(table.elevation_deg))
        ranges = [np.asarray(s.channel("range")) for s in scans]
        moved = [np.where(r > 0, r + truth[:, None, None], 0.0).astype(np.float32) for r in ranges]
        found = beam_errors([replace(s, channels={**s.channels, "range": r}) for s, r in zip(scans, moved, strict=True)]).range
        told = np.array([e.identifiable for e in found])
        off = np.array([e.value for e in found]) - truth
        held += [e.low <= t <= e.high for e, t in zip(found, truth, strict=True) if e.identifiable]
        left.append(np.median(np.abs(np.diff(off[told]))))
        spread.append(np.median(np.abs(np.diff(truth[told]))))
        assert all(e.state != "identified" for e in found)
    # Few long waves decide a whole device, so five devices tell the share to a few hundredths.
    assert np.mean(held) > 0.9 and np.mean(left) < 0.25 * np.mean(spread)


def test_range_errors_of_beams_are_not_taken_from_rounded_coordinates():
    """Whole centimetres shift the ground of a beam by as much as beams err: intervals have it, where the rounding is known."""
    table, draw = load_sensor("hdl64e")[0].model_copy(update={"columns": 360}), np.random.default_rng(4)
    truth = draw.normal(0.0, 0.01, 64)
    hidden = table.model_copy(update={"range_offset_m": truth.tolist(), "storage": Storage(coordinates=0.01, frame="sensor")})
    scans = _scans(hidden, range(3), {"noise_sigma": 0.005})
    marked = find_storage(scans).marked([replace(s, rounding=None) for s in scans])
    assert all(s.rounding is not None and s.rounding.step == 0.01 for s in marked)
    found = beam_errors(marked).range
    held = [e.low <= t <= e.high for e, t in zip(found, truth, strict=True) if e.identifiable]
    assert len(held) > 24 and np.mean(held) > 0.85 and all(e.state != "identified" for e in found)


def test_the_spread_of_beams_is_left_for_those_that_were_not_told():
    """Nothing of what the table names is counted twice, and nothing that it does not name is denied."""
    told = [Estimate(v, v - 0.002, v + 0.002, 9, True, "") for v in np.random.default_rng(1).normal(0.0, 0.01, 40)]
    none = Estimate(0.0, -np.inf, np.inf, 0, False, "")
    assert unnamed(told).value == 0.0 and unnamed([none] * 4) is None
    assert unnamed([*told, none]).low < 0.01 < unnamed([*told, none]).high
    zero = unnamed([replace(none, identifiable=True)] * 4)
    assert zero.value == 0.0 and 0.0 < zero.high <= 1e-3


def test_two_heads_have_tables_of_their_own():
    """One upright and one upside down, of one device: each keeps its beam table, range errors, storage and pose; the streets alternate."""
    table = load_sensor("vlp32c")[0].model_copy(update={"columns": 720})
    draw, frames, hidden = np.random.default_rng(9), [], {}
    for name, roll, height in (("up", 0.0, 2.0), ("down", 180.0, 1.9)):
        tilted = {"elevation_deg": (np.array(table.elevation_deg) + draw.normal(0, 0.1, 32)).tolist()}
        mount = pose(Mount(xyz=(1.3, 0.0, height), rpy_deg=(roll, 0.0, 0.0)), table)
        hidden[name] = table.model_copy(update={**tilted, "range_offset_m": draw.normal(0, 0.02, 32).tolist(), "storage": HALF}), mount
    for k in range(3):
        streets = {name: street_scan(model, k, T_rig_sensor=mount) for name, (model, mount) in hidden.items()}
        params = {"noise_sigma": 0.01, "drop_base": 0.02}
        scans = {n: replace(s, channels=respond_lidar(s, hidden[n][0], params, 7 + k)) for n, s in streets.items()}
        frames.append(Recorded(f"place {k}", [], scans))
    bench = LidarBench.of(frames, table, 0)
    for name, (model, mount) in hidden.items():
        found = bench.heads[name]
        np.testing.assert_allclose(found.model.elevation_deg, model.elevation_deg, atol=0.01)
        # Beams that the scans do not tell have none.
        told = np.array([v is not None for v in found.model.range_offset_m])
        assert told.sum() > 24
        value, truth = (np.array(m.range_offset_m, dtype=np.float64)[told] for m in (found.model, model))
        assert np.corrcoef(np.diff(value), np.diff(truth))[0, 1] > 0.9
        assert found.model.storage == HALF
        np.testing.assert_array_equal(found.T_rig_sensor, mount)
        assert f"{name}.columns" in bench.grid and all(not sectors for sectors in found.model.hidden_sectors_deg)
    streets = bench._streets[:2]
    assert [float(s.T_world_sensor[0, 2, 2]) for s in streets] == [-1.0, 1.0]
    assert all((np.asarray(s.channel("range")) > 0).mean() > 0.4 for s in streets)


def test_what_the_vehicle_hides_is_found_from_two_places():
    """Parts of the vehicle hide sectors of beams that look down; what lies beyond the range limit, and the sky, hide nothing."""
    table = load_sensor("hdl64e")[0].model_copy(update={"columns": 720})
    mast = [[(100.0, 104.0), (-50.0, -20.0 + 0.2 * k)] if k > 40 else [] for k in range(64)]
    hidden = table.model_copy(update={"hidden_sectors_deg": mast})
    scans = _scans(hidden, range(3), {"noise_sigma": 0.015, "drop_base": 0.02})
    found = estimate_grid(scans, table, places=3)
    assert estimate_grid(scans, table, places=1).hidden is None
    assert any("one place only" in n for n in estimate_grid(scans, table).notes(table))
    assert all(not sectors for sectors in found.hidden[:20])
    for k in range(45, 64):
        first, last = sorted(found.hidden[k])
        assert first == pytest.approx(mast[k][1], abs=0.6) and last == pytest.approx(mast[k][0], abs=0.6)
    again = _scans(found.applied(table), [7], {})[0].channel("range")[..., 0]
    truth = _scans(hidden, [7], {})[0].channel("range")[..., 0]
    assert ((again > 0) == (truth > 0)).mean() > 0.995


def test_a_grid_that_cannot_be_told_stays_the_tables():
    table = load_sensor("vlp16")[0]
    scan = _scans(table.model_copy(update={"columns": 360}), [1], {})[0]
    with pytest.raises(UserError, match="must have the model's 32 beams, got 16"):
        estimate_grid([scan], load_sensor("vlp32c")[0])
    with pytest.raises(UserError, match="at least one scan"):
        estimate_grid([], table)
    none = replace(scan, channels={**scan.channels, "range": np.zeros_like(scan.channel("range"))})
    grid = estimate_grid([none], table)
    assert grid.applied(table).elevation_deg == table.elevation_deg and grid.blind is None
    assert any("beams 0, 1" in n for n in grid.notes(table))
