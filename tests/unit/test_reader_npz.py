"""A user's own arrays read as ``sensor.yaml`` says, and every mistake in them named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sweeps import Sweep, room_sweep, same_cloud
from tailgate.errors import UserError
from tailgate.reference.npz import NpzReader
from tailgate.reference.open import open_reader
from tailgate.reference.points import Returns, rings_from_elevation, rings_of_table, sweep_channels
from tailgate.reference.recording import recording_of

SCAN = """kind: lidar_scan
range: {array: range_mm, scale: 0.001}
intensity: {array: reflectivity, scale: 0.00392156863}
elevation_deg: altitude
azimuth_offset_deg: {array: azimuth, scale: -1}
pixel_shift: shift
rate_hz: 10
"""
POINTS = "kind: lidar_points\nxyz: xyz\n"
RGBD = "kind: rgbd\ndepth: {array: depth, scale: 0.001}\nK: [50, 50, 9.5, 7.5]\nrgb: rgb\nsemantic: label\ninstance: object\nlabels: {mug: 3}\n"


def folder(tmp_path: Path, yaml: str, **files: dict[str, np.ndarray]) -> Path:
    for name, arrays in files.items():
        np.savez(tmp_path / f"{name}.npz", **arrays)
    (tmp_path / "sensor.yaml").write_text(yaml)
    return tmp_path


def staggered(offset_columns: tuple[int, ...] = (3, 0, -2, 1, 3, 0, -2, 1)) -> tuple[dict[str, np.ndarray], Sweep]:
    """A scan stored by firing time: beam k looks ``offset_columns[k]`` columns ahead of the head (clockwise)."""
    step, shift = 360.0 / 180, np.array(offset_columns)
    sweep = room_sweep(8, 180, -step * shift)
    arrays = {
        "range_mm": np.rint(sweep.range * 1000).astype(np.uint32),
        "reflectivity": np.full(sweep.range.shape, 51, np.uint8),
        "altitude": sweep.elevation[:, 0],
        "azimuth": step * shift,
        "shift": shift.astype(np.int32),
    }
    return arrays, sweep


def cloud(sweep: Sweep) -> dict[str, np.ndarray]:
    return {"xyz": sweep.xyz.reshape(-1, 3).astype(np.float32)}


def points_of(root: Path, name: str | None = None) -> tuple[np.ndarray, dict]:
    reader = NpzReader(root)
    sensor = reader.read(name or reader.entries()[0].name).sensors["lidar"]
    return sensor.points()["xyz"], sensor.channels


def test_staggered_scan_comes_out_aligned(tmp_path):
    arrays, sweep = staggered()
    xyz, channels = points_of(folder(tmp_path, SCAN, yard_f3=arrays))
    assert same_cloud(xyz, sweep.xyz.reshape(-1, 3), 6e-4)
    assert np.ptp(channels["azimuth"][:, 1:], axis=0).max() < 1e-3
    assert channels["intensity"].max() == pytest.approx(0.2)
    assert channels["time_offset"].max() == pytest.approx(1e8 * 179 / 180)


@pytest.mark.parametrize("yaml", [SCAN, POINTS + "beams: 8\nintensity: flat\n"])
def test_intensity_beyond_one_names_its_scale(tmp_path, yaml):
    arrays, sweep = staggered()
    arrays |= cloud(sweep) if "lidar_points" in yaml else {}
    root = folder(tmp_path, yaml.replace("0.00392156863", "1"), a=arrays | {"flat": arrays["reflectivity"].reshape(-1)})
    with pytest.raises(UserError, match=r"a\.npz: intensity must lie in 0\.\.1, got 51\.\.51: check its 'scale'"):
        points_of(root)


def test_no_return_stays_empty(tmp_path):
    arrays, _ = staggered()
    arrays["range_mm"][2, 40:60] = 0
    xyz, channels = points_of(folder(tmp_path, SCAN, a=arrays))
    assert len(xyz) == 8 * 180 - 20 and (channels["range"][2] == 0).sum() == 20


def test_silent_columns_are_told(tmp_path):
    arrays, _ = staggered()
    arrays["range_mm"][:, 40:70] = 0
    assert any("no beam returned in 30 of 180 columns" in note for note in NpzReader(folder(tmp_path, SCAN, a=arrays)).notes)


def test_scan_without_a_beam_table_takes_directions_from_points(tmp_path):
    sweep = room_sweep(6, 90, fov_deg=90.0)
    stack = np.concatenate([sweep.xyz, sweep.range[..., None], (sweep.range > 5)[..., None]], axis=-1).astype(np.float32)
    stack[3, 10:20] = 0
    np.save(tmp_path / "a_0000000010.npy", stack)
    columns = "columns: [x, y, z, r, what]\nrange: r\nxyz: [x, y, z]\nsemantic: what\nlabels: {far: 1}\nframe_suffix: _\n"
    (tmp_path / "sensor.yaml").write_text("kind: lidar_scan\n" + columns)
    reader = NpzReader(tmp_path)
    entry = reader.entries()[0]
    assert (entry.recording, entry.time_ns) == ("a", 10)
    frame = reader.read(entry.name)
    sensor, held = frame.sensors["lidar"], stack[..., 3] > 0
    assert same_cloud(sensor.points()["xyz"], stack[..., :3][held])
    assert np.abs(sensor.channels["azimuth"] - sweep.azimuth).max() < 1e-2
    assert frame.labels == {"background": 0, "far": 1} and sensor.channels["semantic"].sum() == (stack[..., 4][held] > 0).sum()


@pytest.mark.parametrize("extra", ["beams: 8\n", "", "ring: ring\n"])
def test_list_of_points_is_organised(tmp_path, extra):
    sweep, order = room_sweep(), np.random.default_rng(1).permutation(8 * 180)
    arrays = {"xyz": sweep.xyz.reshape(-1, 3)[order].astype(np.float32), "ring": 7 - sweep.ring.reshape(-1)[order]}
    root = folder(tmp_path, POINTS + extra, a=arrays)
    xyz, channels = points_of(root)
    assert channels["range"].shape == (8, 180, 1) and same_cloud(xyz, sweep.xyz.reshape(-1, 3))
    assert np.all(np.diff(channels["elevation"].mean(axis=1)) < 0)
    assert "100.00 %" in NpzReader(root).notes[0]


def test_noisy_elevations_need_the_number_of_beams(tmp_path):
    sweep, gen = room_sweep(8, 180), np.random.default_rng(2)
    noise = np.cumsum(gen.normal(0, 1, (180, 8)), axis=0).T
    sweep = Sweep(sweep.range, sweep.azimuth, sweep.elevation + 0.35 * (noise - noise.mean()) / noise.std())
    with pytest.raises(UserError, match=r"a\.npz.*cannot be told apart.*beams=64"):
        NpzReader(folder(tmp_path, POINTS, a=cloud(sweep)))
    _, channels = points_of(folder(tmp_path, POINTS + "beams: 8\n", a=cloud(sweep)))
    assert len(channels["range"]) == 8


def test_rings_of_a_bare_cloud_survive_strays_and_silent_beams():
    gen = np.random.default_rng(3)
    lines = np.repeat([10.0, 7.0, 2.0, -4.0, -20.0], 400)
    elevation = np.concatenate([lines + gen.normal(0, 0.05, len(lines)), [5.0, -12.0]])
    ring = rings_from_elevation(elevation, 5, "x")
    assert np.array_equal(ring[:-2], np.repeat(np.arange(5), 400)) and np.all(ring[-2:] < 0)
    assert rings_from_elevation(elevation[:800], 16, "x").max() >= 1


def test_a_line_between_beams_that_no_return_lies_on_is_no_beam():
    gen = np.random.default_rng(0)
    ring = rings_from_elevation(np.repeat(np.linspace(16, -16, 32), 360) + gen.normal(0, 0.02, 32 * 360), 16, "x")
    assert (ring < 0).mean() > 0.5 and np.array_equal(np.unique(ring), np.arange(-1, ring.max() + 1))


def test_silent_beams_of_a_known_device_keep_their_rows():
    table = np.array([15.0, 10.0, 7.0, 2.0, -4.0, -9.0, -20.0])
    spoke, gen = np.array([1, 2, 3, 5]), np.random.default_rng(4)
    elevation = np.repeat(table[spoke], 50) + gen.normal(0, 0.05, 200)
    ring = np.repeat(np.arange(4), 50)
    ring[7] = -1
    found = rings_of_table(ring, elevation, table)
    assert found[7] == -1 and np.array_equal(np.delete(found, 7), np.delete(np.repeat(spoke, 50), 7))
    assert np.array_equal(rings_of_table(ring, elevation, table[:4]), ring)


def test_a_bare_cloud_of_a_known_device_has_all_its_beams(tmp_path):
    sweep = room_sweep()
    low = sweep.xyz.reshape(-1, 3)[np.argsort(-sweep.elevation.reshape(-1))][3 * sweep.elevation.shape[1] :]
    table = np.sort(np.median(sweep.elevation, axis=1))[::-1]
    channels, _ = sweep_channels(Returns(low, np.zeros(len(low), np.float32)), table, "x")
    assert len(channels["range"]) == len(table)
    silent = ~(channels["range"] > 0).any(axis=(1, 2))
    assert np.array_equal(np.flatnonzero(silent), [0, 1, 2]) and np.isfinite(channels["elevation"]).all()


def test_crowded_firings_take_the_free_column(tmp_path):
    """Every third firing of two beams is three quarters of a column late, as on a device that fires in bursts; the seam may cost one a beam."""
    sweep = room_sweep(4, 360)
    azimuth = sweep.azimuth.copy()
    azimuth[:2, 1::3] += 0.75
    moved = Sweep(sweep.range, azimuth, sweep.elevation)
    assert len(points_of(folder(tmp_path, POINTS + "beams: 4\n", a=cloud(moved)))[0]) >= 4 * 360 - 2


def test_second_returns_are_counted_as_unplaced(tmp_path):
    xyz = room_sweep().xyz.reshape(-1, 3)
    notes = NpzReader(folder(tmp_path, POINTS + "beams: 8\n", a={"xyz": np.concatenate([xyz, 0.5 * xyz[::10]])})).notes
    assert "144 share a cell" in notes[0]


def test_images(tmp_path):
    depth = np.full((16, 20), 1500, np.uint16)
    depth[0] = 0
    label, thing = np.zeros((16, 20), np.uint8), np.zeros((16, 20), np.uint8)
    label[4:8, 5:9], thing[4:8, 5:9] = 3, 7
    arrays = {"depth": depth, "rgb": np.full((16, 20, 3), 9, np.uint8), "label": label, "object": thing}
    frame = NpzReader(folder(tmp_path, RGBD, a=arrays)).read("a")
    camera = frame.sensors["camera"]
    assert camera.intrinsics.width == 20 and camera.channels["rgb"].shape == (16, 20, 4)
    assert np.isinf(camera.channels["distance_to_image_plane"][0]).all() and camera.channels["valid"].sum() == 15 * 20
    assert frame.objects.class_name == ["mug"] and frame.objects.instance.tolist() == [7] and camera.view.visible.tolist() == [16]


def test_boxes_label_their_returns(tmp_path):
    boxes = np.array([[6.0, 0, 0, 1.0, 2.0, 1.0, 0.0], [0, -4.0, 0, 2.0, 0.5, 1.0, 90.0]])
    root = folder(
        tmp_path, POINTS + "beams: 8\nheight: 1.5\nboxes: b\nbox_class: c\n", a={**cloud(room_sweep()), "b": boxes, "c": np.array(["van", "bin"])}
    )
    frame = NpzReader(root).read("a")
    lidar = frame.sensors["lidar"]
    assert frame.labels == {"background": 0, "bin": 1, "van": 2} and frame.objects.class_name == ["van", "bin"]
    assert np.allclose(frame.objects.T_world_box[0][:3, 3], [6.0, 0, 1.5])
    points = lidar.points()
    van = (np.abs(points["xyz"] - boxes[0, :3]) <= boxes[0, 3:6] / 2).all(axis=1)
    bin_ = (np.abs(points["xyz"] - boxes[1, :3]) <= boxes[1, [4, 3, 5]] / 2).all(axis=1)
    assert lidar.view.visible.tolist() == [van.sum(), bin_.sum()] and van.sum() > 0 and bin_.sum() > 0
    assert np.array_equal(points["semantic"] == 2, van) and np.array_equal(points["instance"] == 2, bin_)


def test_recordings_from_names():
    assert recording_of("yard_f12", "_f", 0) == ("yard", 12)
    assert recording_of("day/yard_f12", "_f", 0) == ("day/yard", 12)
    assert recording_of("day/x", "_f", 5) == ("day", 5)
    assert recording_of("x", "_f", 5) == ("x", 0)


def test_one_folder_of_two_devices(tmp_path):
    arrays, _ = staggered()
    root = folder(tmp_path, SCAN + 'files: "a_*"\n', a_f0=arrays, a_f1=arrays, b_f0=cloud(room_sweep()))
    (root / "b.yaml").write_text(POINTS + 'beams: 8\nmodel: mine\nfiles: "b_*"\n')
    assert [e.recording for e in open_reader("npz", root, {})[1]] == ["a", "a"]
    reader, entries = open_reader("npz", root, {"sensor": "b.yaml"})
    assert [e.name for e in entries] == ["b_f0"] and reader.sensors == {"lidar": "mine"}


MISTAKES = {
    "unknown kind": ("kind: lidar_scam\n", {}, r"sensor\.yaml:1: kind: .*did you mean 'lidar_scan'"),
    "unknown key": (SCAN + "elevations: 3\n", {}, r"sensor\.yaml:8: elevations: unknown key"),
    "no directions": ("kind: lidar_scan\nrange: r\n", {}, r"sensor\.yaml:1: a lidar_scan must name 'elevation_deg'"),
    "path out": (SCAN + "files: ../*\n", {}, r"files must stay below"),
    "no such array": (SCAN.replace("range_mm", "range_m"), {}, r"a\.npz: holds no array 'range_m'.*did you mean 'range_mm'"),
    "wrong scale": (SCAN.replace("0.001", "1"), {}, r"a\.npz: range must lie in 0..5000 m.*scale"),
    "no scale": (SCAN.replace("0.001", "0"), {}, r"sensor\.yaml:1: scale of 'range' must not be 0"),
    "no range": (SCAN, {"range_mm": np.ones((8, 180), bool)}, r"a\.npz: array 'range_mm' must hold measured numbers, got bool"),
    "one column": (SCAN, {"range_mm": np.ones((8, 1), np.uint32)}, r"a\.npz: range must .* two columns or more, got the shapes \[\(8, 1\)\]"),
    "wrong table": (SCAN, {"altitude": np.zeros(7)}, r"a\.npz: must hold one finite number per beam \(8\)"),
    "wrong shape": (SCAN, {"reflectivity": np.zeros((8, 90), np.uint8)}, r"a\.npz: array 'reflectivity' must have the shape \(8, 180\)"),
    "text": (SCAN, {"range_mm": np.array(["a", "b"])}, r"a\.npz: array 'range_mm' must hold numbers"),
    "objects": (SCAN, {"range_mm": np.array([None, {}])}, r"a\.npz: must be a readable npz file without pickled objects"),
    "no return": (SCAN, {"range_mm": np.zeros((8, 180), np.uint32)}, r"a\.npz: range must .* hold a return"),
    "empty": (SCAN, {"range_mm": np.zeros((0, 180), np.uint32)}, r"a\.npz: range must be an array of \(beams, columns\)"),
    "fractional shift": (SCAN, {"shift": np.zeros(8)}, r"a\.npz: pixel_shift must hold one whole number per beam"),
    "boxes alone": (SCAN + "boxes: b\n", {}, r"sensor\.yaml:8: boxes: boxes and box_class must be named together"),
    "flat box": (SCAN + "boxes: b\nbox_class: c\n", {"b": np.zeros((1, 7)), "c": np.array(["x"])}, r"a\.npz: array 'b' must hold finite rows"),
    "box without class": (SCAN + "boxes: b\nbox_class: c\n", {"b": np.ones((1, 7))}, r"a\.npz: array 'c' must hold one text per box \(1\), got none"),
    "unnamed label": (SCAN + "semantic: what\n", {"what": np.full((8, 180), 4)}, r"a\.npz: array 'what' holds the label 4"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_are_named(tmp_path, name):
    yaml, change, match = MISTAKES[name]
    root = folder(tmp_path, yaml, a={**staggered()[0], **change})
    with pytest.raises(UserError, match=match):
        NpzReader(root).read("a")


def test_points_of_a_scan_must_match_its_range(tmp_path):
    sweep = room_sweep()
    yaml = "kind: lidar_scan\nrange: r\nxyz: p\n"
    for points in (sweep.xyz[:, :90], sweep.xyz.reshape(-1, 3)):
        with pytest.raises(UserError, match=r"a\.npz: range must be an array of \(beams, columns\)"):
            NpzReader(folder(tmp_path, yaml, a={"r": sweep.range, "p": points}))


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut", None], ids=["empty", "damaged", "truncated"])
def test_damaged_files_are_named(tmp_path, content):
    root = folder(tmp_path, SCAN, a=staggered()[0])
    path = root / "a.npz"
    path.write_bytes(path.read_bytes()[:300] if content is None else content)
    with pytest.raises(UserError, match=r"a\.npz: must be a readable npz file"):
        NpzReader(root).read("a")


def test_void_points(tmp_path):
    xyz = room_sweep().xyz.reshape(-1, 3)
    xyz[:100] = np.nan
    assert len(points_of(folder(tmp_path, POINTS + "beams: 8\n", a={"xyz": xyz}))[0]) == 8 * 180 - 100
    with pytest.raises(UserError, match=r"a\.npz: holds no return"):
        NpzReader(folder(tmp_path, POINTS + "beams: 8\n", a={"xyz": xyz * np.nan}))
    with pytest.raises(UserError, match=r"a\.npz: must hold points in metres"):
        NpzReader(folder(tmp_path, POINTS + "beams: 8\n", a={"xyz": room_sweep().xyz.reshape(-1, 3) * 1000}))


def test_missing_description_and_files(tmp_path):
    with pytest.raises(UserError, match=r"sensor\.yaml: file not found"):
        NpzReader(tmp_path)
    (tmp_path / "sensor.yaml").write_text(SCAN)
    with pytest.raises(UserError, match=r"sensor\.yaml: files: the reference is empty"):
        NpzReader(tmp_path)
    with pytest.raises(UserError, match="unknown option 'sensors'.*did you mean 'sensor'"):
        NpzReader(tmp_path, {"sensors": "x"})


@pytest.mark.parametrize("start", [0.0, -0.05, 2.12, 1.7e9])
def test_times_count_from_the_first_return(tmp_path, start):
    sweep = room_sweep()
    time = np.tile(0.1 * np.arange(180) / 180, 8)
    stored = np.concatenate([time + start, [0.0]])
    arrays = {"xyz": np.concatenate([sweep.xyz.reshape(-1, 3), np.zeros((1, 3))]), "ring": np.append(sweep.ring.reshape(-1), 0), "time": stored}
    _, channels = points_of(folder(tmp_path, POINTS + "ring: ring\ntime: time\n", a=arrays))
    assert channels["time_offset"].min() == 0 and channels["time_offset"].max() == pytest.approx(1e9 * time.max(), rel=1e-4)


@pytest.mark.parametrize("unit", [1e3, 1e6])
def test_times_in_another_unit_are_refused(tmp_path, unit):
    sweep = room_sweep()
    arrays = {"xyz": sweep.xyz.reshape(-1, 3), "ring": sweep.ring.reshape(-1), "time": np.tile(unit * 0.1 * np.arange(180) / 180, 8)}
    with pytest.raises(UserError, match=r"a\.npz: time must be in seconds, and of one sweep.* spans [\d.]+: check its 'scale'"):
        NpzReader(folder(tmp_path, POINTS + "ring: ring\ntime: time\n", a=arrays))
