"""Beam tables, firing times, blind sectors and motion during a sweep."""

import json
from dataclasses import replace

import numpy as np
import pytest
import stage_kit as kit
from tailgate.config.load import load
from tailgate.config.rig import configs_root, find_config, load_sensor
from tailgate.config.sensor import LidarModel
from tailgate.errors import UserError
from tailgate.geometry.beams import directions
from tailgate.geometry.firing import firing_grid, move_with_sensor
from tailgate.sensors.lidar import respond_lidar

LIDARS = sorted(p.stem for p in (configs_root() / "sensors").glob("*.yaml") if "elevation_deg" in p.read_text())
OUSTER = {
    "beam_altitude_angles": [10.0, 0.0, -10.0, -20.0],
    "beam_azimuth_angles": [4.2, 1.4, -1.4, -4.2],
    "lidar_mode": "512x20",
    "prod_line": "OS-1-64",
    "prod_sn": "42",
}


def test_every_shipped_table_is_sourced_and_ordered():
    assert len(LIDARS) >= 17
    for name in LIDARS:
        model = load_sensor(name)[0]
        assert len(model.source) > 60 and len(model.elevation_deg) in (16, 32, 64, 128), name
        assert (np.diff(model.elevation_deg) < 0).all(), name
        grid = firing_grid(model)
        column = model.azimuth_start_deg - 360.0 / model.columns * np.arange(model.columns)
        aside = (grid.azimuth - column + 180.0) % 360.0 - 180.0
        assert np.abs(aside).max() <= 180.0 / model.columns + 1e-3, name
        assert grid.time.min() >= 0 and grid.time.max() < 1.01 * grid.sweep and grid.live.all(), name


@pytest.mark.parametrize(
    ("name", "times", "period"),
    [
        # VLP-16 (63-9243, figure 9-7) and HDL-32E (63-9113, appendix): lasers by number, from the lowest, interleaved.
        ("vlp16", {-15: 0, 1: 2.304, -13: 4.608, 15: 34.56}, 55.296),
        ("hdl32e", {-30.67: 0, -9.33: 1.152, -29.337: 2.304, 10.67: 35.712}, 46.08),
        ("vlp32c", {-25: 0, -1: 0, -1.667: 2.304, 10.333: 34.56}, 55.296),
        ("vls128", {-11.742: 0, -1.99: 0, -25: 10.66}, 53.3),
        # Pandar64 (640-en): lasers 51 and 61 last, 3.62 us before the block ends, 45 and 60 1.304 us before them; 12 and 40 first, 54.668 us before.
        ("pandar64", {-5.547: 51.048, -12.956: 51.048, -4.54: 49.744, -11.988: 49.744, 1.031: 0, -3.694: 0}, 55.56),
        ("xt32", {15: 0, 14: 1.512, -16: 46.872}, 50.0),
    ],
)
def test_lasers_fire_in_the_order_of_the_manual(name, times, period):
    model = load_sensor(name)[0]
    for elevation, moment in times.items():
        beam = int(np.abs(np.array(model.elevation_deg) - elevation).argmin())
        assert model.firing_us[beam] == pytest.approx(moment, abs=1e-3), elevation
    assert max(model.firing_us) < period == pytest.approx(1e6 / model.rate_hz / model.columns, rel=2e-3)


def test_a_beam_that_looks_aside_passes_a_column_at_another_time():
    model = LidarModel(elevation_deg=[1.0, 0.0, -1.0], azimuth_offset_deg=[0.0, 2.0, -1.5], firing_us=[0.0, 0.0, 50.0], columns=360)
    grid = firing_grid(model)
    # Clockwise: a beam that looks 2 deg to the left reaches an azimuth two columns later than the head.
    firing = 1e8 / 360
    assert grid.time[0, 10] == round(10 * firing) and grid.time[1, 10] == round(12 * firing)
    head = 180.0 - grid.time[1].astype(float) * 360.0 / 1e8
    assert np.abs((grid.azimuth[1] - (head + 2.0) + 180) % 360 - 180).max() < 1e-3
    late = 180.0 - grid.time[2].astype(float) * 360.0 / 1e8
    assert np.abs((grid.azimuth[2] - (late - 1.5) + 180) % 360 - 180).max() < 1e-3


def test_blind_sectors_return_nothing():
    stage = kit.new_stage()
    path = kit.mover(stage, "ball", 5, kit.pose(x=-6.0))
    kit.mesh(stage, f"{path}/body", *kit.sphere())
    kit.ground(stage, "/World/ground", z=-1.5)
    model = LidarModel(elevation_deg=[0.0, -20.0], columns=720, blind_sectors_deg=[(170.0, -170.0)])
    sensor = kit.render(stage, kit.rig_of(lidar=model)).sensors["lidar"]
    azimuth, hit = sensor.channels["azimuth"], sensor.channels["range"][..., 0] > 0
    blind = np.abs((azimuth - 180.0 + 180.0) % 360.0 - 180.0) <= 10.0
    assert blind.sum() > 70 and not hit[blind].any() and hit[1][~blind[1]].all()
    assert sensor.view.alone[0] == 0 and sensor.view.visible[0] == 0
    assert not firing_grid(model.model_copy(update={"blind_sectors_deg": [(-180.0, 180.0)]})).live.any()


def test_a_sensor_that_drives_past_a_wall_measures_it_bent_and_it_is_straight_in_the_world():
    stage = kit.new_stage()
    kit.mesh(stage, "/World/wall", [(-500, 10, -500), (500, 10, -500), (500, 10, 500), (-500, 10, 500)], [(0, 1, 2, 3)])
    model = LidarModel(elevation_deg=[5.0, 0.0, -5.0], firing_us=[0.0, 20.0, 40.0], columns=720, range_max=60.0)
    hints = {"ego_speed": 20.0, "ego_yaw_rate": 60.0}
    sensor = kit.render(stage, kit.rig_of(lidar=model), hints=hints).sensors["lidar"]
    # 60 deg/s over 0.1 s on an arc of radius 20 / (pi / 3) m.
    turned, radius = np.deg2rad(6.0), 20.0 / np.deg2rad(60.0)
    end = sensor.T_world_sensor[1]
    np.testing.assert_allclose(end[:2, 3], [radius * np.sin(turned), radius * (1 - np.cos(turned))], atol=1e-9)
    points = sensor.points()
    share = points["time_offset"] / (sensor.t_end - sensor.t_start)
    straight = np.add(*move_with_sensor(points["xyz"], share, sensor.T_world_sensor))
    assert len(straight) > 600 and np.abs(points["xyz"][:, 1] - 10.0).max() > 0.5
    np.testing.assert_allclose(straight[:, 1], 10.0, atol=2e-4)
    grid = firing_grid(model)
    origin, ray = move_with_sensor(directions(grid.azimuth, grid.elevation), grid.time / grid.sweep, sensor.T_world_sensor)
    with np.errstate(divide="ignore"):
        exact = np.where(ray[..., 1] > 0, (10.0 - origin[..., 1]) / ray[..., 1], np.inf)
    np.testing.assert_allclose(sensor.channels["range"][..., 0], np.where(exact < 60.0, exact, 0.0), rtol=5e-5)


def test_a_turn_whose_sense_two_poses_cannot_tell_is_refused():
    model = LidarModel(elevation_deg=[0.0], columns=8, rate_hz=0.5)
    with pytest.raises(UserError, match=r"less than 180 deg .* got 100 deg/s over the 2 s"):
        kit.render(kit.new_stage(), kit.rig_of(lidar=model), hints={"ego_yaw_rate": 100.0})


def test_columns_leave_time_to_fire_them():
    base = load_sensor("vlp16")[0].model_dump() | {"rate_hz": 20.0}
    with pytest.raises(ValueError, match="columns must be at most 1446 at 20 Hz, .* fires for 34.56 us .* 1808 are 27.65 us apart"):
        LidarModel.model_validate(base)
    assert LidarModel.model_validate(base | {"columns": 1446}).columns == 1446


@pytest.mark.parametrize("blind", [[(0, 360)], [(-180, 0), (-10, 190)], [(0, 120), (110, 250), (250, 365)]])
def test_a_sweep_that_is_wholly_blind_is_refused(blind):
    with pytest.raises(ValueError, match="blind_sectors_deg must leave a part of the sweep"):
        LidarModel(elevation_deg=[0.0], columns=8, blind_sectors_deg=blind)
    ahead = {"azimuth_start_deg": 45.0, "azimuth_fov_deg": 90.0}
    with pytest.raises(ValueError, match="blind_sectors_deg must leave"):
        LidarModel(elevation_deg=[0.0], columns=8, blind_sectors_deg=[(-50, 50)], **ahead)
    for part in ({"blind_sectors_deg": [(-40, 50)]} | ahead, {"blind_sectors_deg": [(0, 120), (121, 360)]}):
        assert firing_grid(LidarModel(elevation_deg=[0.0], columns=720, **part)).live.any()


def test_standing_still_is_the_default():
    model = LidarModel(elevation_deg=[0.0], columns=16)
    poses = kit.render(kit.new_stage(), kit.rig_of(lidar=model)).sensors["lidar"].T_world_sensor
    np.testing.assert_array_equal(poses[0], poses[1])


def test_ouster_metadata_of_old_and_new_firmware(tmp_path):
    new = {
        "beam_intrinsics": {k: v for k, v in OUSTER.items() if k.startswith("beam")},
        "config_params": {"lidar_mode": "512x20"},
        "sensor_info": {"prod_line": "OS-1-64", "prod_sn": "42"},
    }
    models = []
    for name, tree in (("old", OUSTER), ("new", new)):
        path = tmp_path / f"{name}.json"
        path.write_text(json.dumps(tree))
        models.append(load_sensor(str(path))[0])
    for model in models:
        assert model.columns == 512 and model.rate_hz == 20.0 and model.azimuth_offset_deg == [-4.2, -1.4, 1.4, 4.2]
        assert model.elevation_deg == OUSTER["beam_altitude_angles"] and "noise_sigma" in model.response and "42" in model.source


def _ouster(tmp_path, **change):
    path = tmp_path / "metadata.json"
    path.write_text(json.dumps(OUSTER | change))
    return path


def test_an_ouster_seen_through_a_window_of_columns_or_azimuths(tmp_path):
    """Columns 128 to 255 of 512 turn from +90 deg to 0 in the sensor's frame: 270 deg down to 180 in the lidar's, whose x axis points back."""
    window = {"data_format": {"column_window": [128, 255]}, "config_params": {"azimuth_window": [0, 360_000]}}
    for change in (window, {"config_params": {"azimuth_window": [180_000, 270_000]}}):
        model = LidarModel.from_ouster(_ouster(tmp_path, beam_azimuth_angles=[0.0] * 4, **change))
        grid = firing_grid(model)
        assert grid.live.sum() == pytest.approx(4 * 128, abs=4) and grid.live[:, 129:255].all()
        assert grid.azimuth[grid.live].min() >= -1e-3 and grid.azimuth[grid.live].max() <= 90.0 + 1e-3
    across = LidarModel.from_ouster(_ouster(tmp_path, column_window=[500, 11], beam_azimuth_angles=[0.0] * 4))
    np.testing.assert_array_equal(np.flatnonzero(firing_grid(across).live[0]), [*range(12), *range(500, 512)])
    turned = LidarModel.from_ouster(_ouster(tmp_path, column_window=[0, 511], lidar_frame_azimuth_offset=90_000))
    assert turned.azimuth_start_deg == 270.0 and turned.blind_sectors_deg == []


def test_ouster_points_lie_where_the_maker_puts_them(tmp_path):
    """The maker's formula: a beam leaves the axis by n, and its range counts from the axis; here it is a line that meets the axis elsewhere."""
    above, out, lidar_to_sensor = 36.18, 15.806, [-1, 0, 0, 0, 0, -1, 0, 0, 0, 0, 1, 36.18, 0, 0, 0, 1]
    model = LidarModel.from_ouster(_ouster(tmp_path, lidar_to_sensor_transform=lidar_to_sensor, lidar_origin_to_beam_origin_mm=out))
    steepness = np.deg2rad(model.elevation_deg)
    for distance in (1000.0, 50_000.0):
        flat, z = (distance - out) * np.cos(steepness) + out, (distance - out) * np.sin(steepness) + above
        np.testing.assert_allclose(np.array(model.beam_height_m) + 1e-3 * flat * np.tan(steepness), 1e-3 * z, atol=1e-6)
    assert LidarModel.from_ouster(_ouster(tmp_path)).beam_height_m == []


def test_profile_and_generation_of_an_ouster(tmp_path):
    def model(**change):
        return LidarModel.from_ouster(_ouster(tmp_path, **change))

    low, dual = "RNG15_RFL8_NIR8", "RNG19_RFL8_SIG16_NIR16_DUAL"
    assert model(config_params={"udp_profile_lidar": low}).range_step == 0.008 and model(udp_profile_lidar=low).returns == "strongest"
    assert model(data_format={"udp_profile_lidar": dual}).returns == "two_strongest" and model(udp_profile_lidar=dual).range_step == 0.001
    first, later = model(beam_altitude_angles=[16.6, 5.5, -5.5, -16.6]), load_sensor("os1_64_gen1")[0]
    assert (first.range_step, first.divergence_mrad) == (later.range_step, later.divergence_mrad) == (0.003, (3.85, 3.85))


def test_a_file_builds_on_an_ousters_own(tmp_path):
    _ouster(tmp_path)
    (tmp_path / "mine.yaml").write_text("base: metadata.json\nrange_step: 0.002\ndevice: roof\n")
    model, device = load_sensor("mine.yaml", (tmp_path,))
    assert model.range_step == 0.002 and model.elevation_deg == OUSTER["beam_altitude_angles"] and device == "roof"
    (tmp_path / "mine.yaml").write_text("base: metadata.json\nfiring_us: [1]\nrate_hz: 0\n")
    with pytest.raises(UserError, match="mine.yaml:3: rate_hz"):
        load_sensor("mine.yaml", (tmp_path,))
    _ouster(tmp_path, beam_altitude_angles=[200.0, 0.0, 0.0, 0.0])
    with pytest.raises(UserError, match=r"metadata.json: elevation_deg\[0\]: elevation_deg must be less than"):
        load_sensor("metadata.json", (tmp_path,))


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"lidar_mode": "fast"}, "lidar_mode must be columns x rate"),
        ({"prod_line": "VLP-16"}, "prod_line must be one of OS-0"),
        ({"beam_altitude_angles": "many"}, "must hold beam_altitude_angles"),
        ({"beam_azimuth_angles": [1.0]}, "azimuth_offset_deg must hold 4 numbers"),
        ({"beam_azimuth_angles": [float("nan")] * 4}, "must hold beam_azimuth_angles, a list of numbers, got nan"),
        ({"lidar_mode": "0x10"}, "lidar_mode must be columns x rate"),
        ({"column_window": [0]}, "must hold column_window, a list of 2 numbers, got 1 of them"),
        ({"column_window": [0, 512]}, "column_window must lie from 0 to 511"),
        ({"azimuth_window": [-90_000, 0]}, "azimuth_window must lie from 0 to 360,000"),
        ({"lidar_to_sensor_transform": 36.18}, "must hold lidar_to_sensor_transform, a list of 16 numbers, got float"),
        ({"lidar_origin_to_beam_origin_mm": "far"}, "lidar_origin_to_beam_origin_mm must be a number, got 'far'"),
    ],
)
def test_wrong_ouster_metadata_is_named(tmp_path, change, match):
    path = _ouster(tmp_path, **change)
    with pytest.raises(UserError, match=match):
        LidarModel.from_ouster(path)
    path.write_text("{")
    with pytest.raises(UserError, match="not valid JSON"):
        LidarModel.from_ouster(path)


def test_a_file_takes_over_what_its_base_holds(tmp_path):
    (tmp_path / "mine.yaml").write_text("base: vlp16\ncolumns: 900\nresponse:\n  noise_sigma: {role: pinned, dist: {kind: constant, value: 0.01}}\n")
    model, base = load_sensor(str(tmp_path / "mine.yaml"))[0], load_sensor("vlp16")[0]
    assert model.columns == 900 and model.elevation_deg == base.elevation_deg
    assert model.response["noise_sigma"].dist.value == 0.01 and model.response["drop_base"] == base.response["drop_base"]


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("base: vlp17\n", r"mine.yaml:1: base: sensor 'vlp17' was not found.*vlp16"),
        ("base: vlp16\nelevation_deg: [1, -1]\n", "mine.yaml:2: elevation_deg: must come with firing_us for its 2 beams: the base's are for 16"),
        ("base: 5\n", "base must be the name of a file, got 5"),
        ("base: vlp16\ncolums: 900\n", "mine.yaml:2: colums: unknown key 'colums'"),
        ("base: mine.yaml\n", "more than 8 files"),
        ("base: below.yaml\ncolumns: 5\n", r"below.yaml:2: rate_hz"),
    ],
)
def test_wrong_bases_are_named(tmp_path, text, match, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "below.yaml").write_text("type: lidar\nrate_hz: fast\nelevation_deg: [0]\n")
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(UserError, match=match):
        load_sensor("mine.yaml")


def test_the_base_is_no_device():
    with pytest.raises(UserError, match="elevation_deg"):
        load(LidarModel, find_config("base/spinning", "sensors"))


def test_lasers_above_the_origin_put_their_points_where_they_hit():
    stage = kit.new_stage()
    kit.ground(stage, "/World/ground", z=-1.5)
    model = LidarModel(elevation_deg=[-10.0, -20.0], beam_height_m=[0.2, 0.1], columns=90, range_max=60.0)
    sensor = kit.render(stage, kit.rig_of(lidar=model)).sensors["lidar"]
    points = sensor.points()
    np.testing.assert_allclose(points["xyz"][:, 2], -1.5, atol=1e-4)
    for ring, (elevation, height) in enumerate(zip(model.elevation_deg, model.beam_height_m, strict=True)):
        flat = np.hypot(*points["xyz"][points["ring"] == ring, :2].T)
        np.testing.assert_allclose(flat, (1.5 + height) / np.tan(np.deg2rad(-elevation)), rtol=1e-4)


@pytest.mark.parametrize(("returns", "seen"), [("strongest", [1]), ("last", [2]), ("dual", [1, 2])])
def test_every_echo_lies_on_its_beam(returns, seen):
    """An edge at 5 m before a wall at 40 m, from beams above the sensor's origin; and the same in the exact scan."""
    stage = kit.new_stage()
    for name, x, left, instance in (("near", 5.0, 0.0, 1), ("far", 40.0, -50.0, 2)):
        path = kit.mover(stage, name, instance, np.eye(4))
        kit.mesh(stage, f"{path}/body", [(x, left, -50), (x, 50, -50), (x, 50, 50), (x, left, 50)], [(0, 1, 2, 3)])
    beams = {"elevation_deg": [0.0, -5.0], "beam_height_m": [0.2, 0.12], "divergence_mrad": (20.0, 10.0), "sub_rays": 7}
    one = {"columns": 1, "azimuth_start_deg": -0.23, "azimuth_fov_deg": 1.0, "returns": returns, "azimuth_error_deg": [0.5, -0.5]}
    model = LidarModel(**beams, **one)
    exact = kit.render(stage, kit.rig_of(lidar=model)).sensors["lidar"]
    for scan in (exact, replace(exact, channels=respond_lidar(exact, model, {}, 1))):
        points = scan.points()
        flat = np.hypot(*points["xyz"][:, :2].T)
        rise = np.take(model.beam_height_m, points["ring"]) + flat * np.tan(np.deg2rad(np.take(model.elevation_deg, points["ring"])))
        np.testing.assert_allclose(points["xyz"][:, 2], rise, atol=1e-4)
    assert sorted(points["instance"][points["ring"] == 0]) == seen
    aside = np.rad2deg(np.arctan2(*points["xyz"][:, 1::-1].T)) - np.take(model.azimuth_error_deg, points["ring"])
    np.testing.assert_allclose(aside, -0.23, atol=1e-3)
