"""What a LiDAR never sees: sectors of any width, and beams that are dead."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tailgate.calibrate.holdout import Recorded, folds
from tailgate.calibrate.lidar_grid import estimate_grid
from tailgate.calibrate.scene import street_scan
from tailgate.calibrate.sectors import blind_sectors, dead_beams, hidden_sectors
from tailgate.config.rig import load_sensor
from tailgate.frames import SensorFrame
from tailgate.geometry.firing import firing_grid
from tailgate.sensors.lidar import respond_lidar
from tailgate.validate.sketch import Sketch

MODEL = load_sensor("hdl32e")[0].model_copy(update={"columns": 720})


def scans_of(count: int, **changes: object) -> list[SensorFrame]:
    model = MODEL.model_copy(update=changes)
    streets = [street_scan(model, k) for k in range(count)]
    return [replace(s, channels=respond_lidar(s, model, {"drop_base": 0.03, "noise_sigma": 0.01}, k)) for k, s in enumerate(streets)]


@pytest.mark.parametrize("sector", [(20.0, 28.0), (-70.0, -10.0), (100.0, -100.0), (-100.0, 100.0), (0.0, 180.0)])
def test_a_blind_sector_of_any_width_is_found(sector):
    (found,) = blind_sectors(scans_of(1, blind_sectors_deg=[sector]), 720, MODEL)
    assert np.abs((np.subtract(found, sector) + 180.0) % 360.0 - 180.0).max() <= 1.5


def test_where_there_is_nothing_to_return_from_is_not_blind():
    """Returns that become fewer, beam by beam, towards a side without any."""
    (scan,) = scans_of(1)
    off = np.abs((np.asarray(scan.channel("azimuth")) - 90.0 + 180.0) % 360.0 - 180.0)
    least = 60.0 + 60.0 * np.arange(len(off))[:, None] / len(off)
    open_field = replace(scan, channels={**scan.channels, "range": np.where((off < least)[..., None], 0, scan.channel("range")).astype(np.float32)})
    assert blind_sectors([open_field], 720, MODEL) is None


def test_what_is_held_out_is_not_blind():
    (scan,) = scans_of(1)
    _, cut = folds([Recorded("a", [Sketch({"k": np.zeros(1)})] * 12, {"lidar": scan})])
    parts = [[frame.scans["lidar"] for frame in fold.frames] for fold in cut]
    assert [blind_sectors(part, 720, MODEL) for part in parts] == [[]] * 4
    assert [hidden_sectors(part, 720, []) for part in parts] == [hidden_sectors([scan], 720, [])] * 4


def test_a_dead_beam_stays_dead():
    dead = [[(-180.0, 180.0)] if k in (9, 10, 25) else [] for k in range(32)]
    scans = scans_of(2, hidden_sectors_deg=dead)
    for places in (1, 2):
        grid = estimate_grid(scans, MODEL, places)
        found = grid.applied(MODEL)
        assert grid.dead == [9, 10, 25] and [found.hidden_sectors_deg[k] for k in grid.dead] == [[(-180.0, 180.0)]] * 3
        assert not firing_grid(found).live[[9, 10, 25]].any() and firing_grid(found).live[[8, 11, 24, 26]].mean() > 0.9
        assert any("beams 9, 10, 25 never return where those beside them do" in note for note in grid.notes(MODEL))
    assert found.elevation_deg[9] == MODEL.elevation_deg[9]


def test_beams_that_look_into_the_sky_or_at_the_vehicle_are_not_dead():
    scans = scans_of(2)
    for scan in scans:
        scan.channels["range"][:8] = scan.channels["range"][28:] = 0
    assert dead_beams(scans) == []
