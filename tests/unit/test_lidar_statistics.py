"""Scan statistics against analytic answers."""

from dataclasses import replace

import numpy as np
import pytest
from tailgate.calibrate.scene import street_scan
from tailgate.config.rig import load_sensor
from tailgate.geometry.beams import directions
from tailgate.geometry.rounding import Rounding
from tailgate.sensors.lidar import respond_lidar
from tailgate.validate.lidar_statistics import (
    LIDAR_STATISTICS,
    SECTORS,
    along_beam_residual,
    down_stratum,
    intensity_texture,
    lidar_sketches,
    measure_cells,
    missing_runs,
    stratum_of,
)
from tailgate.validate.sketch import Sketch


@pytest.fixture(scope="module")
def street():
    model, _ = load_sensor("vlp32c")
    return model, street_scan(model, 3, relief=0.0)


def _with(street, **params):
    model, scan = street
    return replace(scan, channels=respond_lidar(scan, model, params, 11))


def test_an_exact_scan_has_no_holes_and_no_noise(street):
    aligned = street_scan(street[0].model_copy(update={"azimuth_offset_deg": [], "firing_us": []}), 3, relief=0.0)
    # Beams half a column aside of their neighbours miss a few edges that these see.
    for scan, missing in ((aligned, 0.001), (street[1], 0.003)):
        cells = measure_cells(scan)
        candidates = cells.hole_stratum >= 0
        assert cells.missing[candidates].mean() < missing
        assert np.median(np.abs(cells.residual[cells.noise_stratum >= 0])) < 1e-3


def test_hole_rate_is_the_share_of_lost_returns(street):
    cells = measure_cells(_with(street, drop_base=0.06))
    assert cells.missing[cells.hole_stratum >= 0].mean() == pytest.approx(0.06, abs=0.005)


def test_noise_is_measured_perpendicular_to_the_plane(street):
    cells = measure_cells(_with(street, noise_sigma=0.02))
    use = cells.noise_stratum >= 0
    along = (cells.residual / cells.planes.incidence)[use & (cells.planes.incidence > 0.5)]
    assert 1.4826 * np.median(np.abs(along)) == pytest.approx(0.02, rel=0.08)
    beam = cells.beam_residual[use & (cells.planes.incidence > 0.5)] / cells.planes.incidence[use & (cells.planes.incidence > 0.5)]
    assert 1.4826 * np.nanmedian(np.abs(beam)) == pytest.approx(0.02, rel=0.08)


def test_a_beam_offset_moves_range_noise_and_not_beam_noise(street):
    cells = measure_cells(_with(street, beam_bias=0.03))
    use = (cells.noise_stratum >= 0) & (cells.planes.incidence > 0.5)
    assert np.std(cells.residual[use]) > 0.01
    assert np.nanmedian(np.abs(cells.beam_residual[use])) < 1e-3


def test_a_return_off_the_plane_tells_no_noise_of_its_neighbours(street):
    scan = street[1]
    flat = measure_cells(scan).noise_stratum >= 0
    ring, column = (index[len(index) // 2] for index in np.nonzero(flat & np.roll(flat, 1, axis=1) & np.roll(flat, -1, axis=1)))
    ranges = scan.channel("range").copy()
    ranges[ring, column] -= 1.0
    told = [np.isfinite(measure_cells(replace(scan, channels={**scan.channels, "range": r})).beam_residual) for r in (scan.channel("range"), ranges)]
    assert told[0][ring, column - 1 : column + 2].all() and not told[1][ring, column - 1 : column + 2].any()


def test_sectors_add_up_to_the_scan(street):
    sketches = lidar_sketches(_with(street, drop_base=0.05, noise_sigma=0.01))
    assert len(sketches) == SECTORS
    total = Sketch.total(sketches)
    cells = measure_cells(_with(street, drop_base=0.05, noise_sigma=0.01))
    assert total.counts["hole_rate"].sum() == (cells.hole_stratum >= 0).sum()
    assert total.counts["intensity"].sum() == (cells.plane_stratum >= 0).sum()


def test_strata_and_edges():
    names = LIDAR_STATISTICS["hole_rate"].strata
    assert names[int(stratum_of(np.array([7.0]), np.array([1.0]))[0])] == "6-12 m, 0-40 deg"
    assert names[int(stratum_of(np.array([100.0]), np.array([0.01]))[0])] == "50-120 m, 80-90 deg"
    assert stratum_of(np.array([0.5, 130.0, np.nan]), np.ones(3)).tolist() == [-1, -1, -1]


def test_runs_of_missing_returns():
    rng = np.full((2, 30), 10.0)
    rng[0, 5:8] = 0.0
    rng[0, 20] = 0.0
    rng[1, 28:] = 0.0
    rng[1, :2] = 0.0
    turned = missing_runs(rng, wrap=True)
    assert sorted(zip(turned.ring.tolist(), turned.length.tolist(), strict=True)) == [(0, 1), (0, 3), (1, 4)]
    assert missing_runs(rng, wrap=False).length.tolist() == [3, 1]
    rng[0, 8:] = 30.0
    assert (0, 3) not in zip(missing_runs(rng, True).ring.tolist(), missing_runs(rng, True).length.tolist(), strict=True)


def test_a_plane_has_no_residual_along_a_beam():
    az = np.tile(np.arange(-30.0, 30.0, 0.2), (3, 1)).astype(np.float32)
    az[1] += np.float32(0.03) * (np.arange(az.shape[1]) % 2)
    residual = along_beam_residual(5.0 / np.cos(np.deg2rad(az)), az)
    assert np.nanmax(np.abs(residual)) < 1e-3
    assert np.isnan(residual[:, [0, -1]]).all()


def test_noise_below_the_storage_step_is_not_counted(street):
    scan = _with(street, noise_sigma=0.02)
    kept, everything = measure_cells(replace(scan, rounding=Rounding(0.0, np.eye(4)))), measure_cells(scan)
    far = np.abs(directions(scan.channel("azimuth"), scan.channel("elevation"))).max(axis=-1) * scan.channel("range")[..., 0] >= 32.0
    assert (kept.noise_stratum[far] == -1).all() and (everything.noise_stratum[far] >= 0).any()
    np.testing.assert_array_equal(kept.noise_stratum[~far], everything.noise_stratum[~far])
    np.testing.assert_array_equal(kept.plane_stratum, everything.plane_stratum)


def test_grid_and_point_order_do_not_matter(street):
    """A scan turned by 90 degrees has the same statistics."""
    scan = _with(street, drop_base=0.05, noise_sigma=0.02)
    turned = {**scan.channels, "azimuth": (np.asarray(scan.channel("azimuth")) + 270.0) % 360.0 - 180.0}
    a, b = (Sketch.total(lidar_sketches(replace(scan, channels=c))) for c in (scan.channels, turned))
    for name in LIDAR_STATISTICS:
        assert np.abs(a.counts[name] - b.counts[name]).sum() <= 0.002 * a.counts[name].sum() + 2


def test_beams_that_look_down_lose_what_is_dropped(street):
    total = Sketch.total(lidar_sketches(_with(street, drop_base=0.06))).counts["return_rate"]
    assert (total.sum(axis=1) > 2000).all() and total[:, 1] / total.sum(axis=1) == pytest.approx(0.06, abs=0.01)


def test_downward_angle_is_that_of_the_world(street):
    scan = street[1]
    level = np.eye(4)
    level[:3, :3] = [[1, 0, 0], [0, -1, 0], [0, 0, -1]]
    turned = {**scan.channels, "elevation": -np.asarray(scan.channel("elevation")), "azimuth": -np.asarray(scan.channel("azimuth"))}
    upside_down = replace(scan, channels=turned, T_world_sensor=scan.T_world_sensor @ level)
    np.testing.assert_array_equal(down_stratum(upside_down), down_stratum(scan))


def test_a_scan_without_intensity_says_nothing_of_it(street):
    scan = street[1]
    dark = replace(scan, channels={**scan.channels, "intensity": np.zeros_like(scan.channel("intensity"))})
    assert "intensity" not in Sketch.total(lidar_sketches(dark)).counts and "intensity" in Sketch.total(lidar_sketches(scan)).counts


def test_texture_of_intensity():
    """A ramp has none; a lone return of twice its neighbours has 1; a gain changes nothing; neighbours that are missing say nothing."""
    rng, azimuth = np.full((1, 8), 5.0), np.linspace(10, 17, 8)[None]
    ramp = np.linspace(0.1, 0.8, 8)[None]
    assert np.nanmax(intensity_texture(rng, ramp, azimuth)) == pytest.approx(0, abs=1e-12)
    lone = np.full((1, 8), 0.2)
    lone[0, 4] = 0.4
    found = intensity_texture(rng, lone, azimuth)
    assert found[0, 4] == pytest.approx(1.0) and np.isnan(found[0, [0, 7]]).all()
    assert intensity_texture(rng, 0.1 * lone, azimuth) == pytest.approx(found, nan_ok=True)
    rng[0, 5] = 0
    assert np.isnan(intensity_texture(rng, lone, azimuth)[0, [4, 6]]).all()
