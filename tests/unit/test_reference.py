"""Opening, grouping and splitting real data; reading folders written for the test."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
from tailgate.calibrate.scene import street_scan
from tailgate.config.budget import Reference
from tailgate.config.rig import load_sensor, resolve
from tailgate.errors import UserError
from tailgate.frames import Frame, FrameId
from tailgate.reference import Entry, open_reference
from tailgate.reference.calibration import mount_of, rig_from
from tailgate.reference.open import _read_one
from tailgate.reference.reader import ReferenceSet
from tailgate.reference.split import automatic_split, explicit_split, make_groups, shares_a_recording
from tailgate.runtime.reference import _measure_part, reference_hash
from tailgate.validate import evidence

CALIB = """P2: 700 0 600 35 0 700 180 0 0 0 1 0
R0_rect: 1 0 0 0 1 0 0 0 1
Tr_velo_to_cam: 0 -1 0 0 0 0 -1 -0.08 1 0 0 -0.27
"""


@pytest.fixture(scope="module")
def hdl_scan():
    model, _ = load_sensor("hdl64e")
    return street_scan(model.model_copy(update={"columns": 720}), 4)


@pytest.fixture
def kitti(tmp_path, hdl_scan):
    """A KITTI folder with one synthetic sweep, one car of 4 x 2 x 2 m ahead, and its calibration."""
    points = hdl_scan.points()
    order = np.lexsort((np.arctan2(points["xyz"][:, 1], points["xyz"][:, 0]) % (2 * np.pi), points["ring"]))
    for folder in ("velodyne", "calib", "label_2"):
        (tmp_path / "kitti" / folder).mkdir(parents=True)
    cloud = np.column_stack([points["xyz"][order], points["intensity"][order]]).astype("<f4")
    cloud.tofile(tmp_path / "kitti/velodyne/000007.bin")
    (tmp_path / "kitti/calib/000007.txt").write_text(CALIB)
    label = "Car 0 0 0 1 1 2 2 2.0 2.0 4.0 -3.0 1.72 10.27 -1.5707963\nDontCare -1 -1 -10 1 1 2 2 -1 -1 -1 -1000 -1000 -1000 -10\n"
    (tmp_path / "kitti/label_2/000007.txt").write_text(label)
    return tmp_path


def test_a_kitti_sweep_comes_back_on_its_grid(kitti, hdl_scan):
    reference = open_reference(Reference(kind="kitti", root="kitti"), kitti)
    assert reference.split == {"feedback": ["000007"], "holdout": [], "audit": []}
    assert any("could not be placed" in n for n in reference.notes) and any("no hold-out" in n for n in reference.notes)
    frame = reference.read("000007")
    scan = frame.sensors["lidar"]
    assert scan.channel("range").shape == hdl_scan.channel("range").shape
    truth = hdl_scan.points()
    assert (scan.channel("range") > 0).sum() >= 0.999 * len(truth["xyz"])
    np.testing.assert_array_equal(scan.channel("ring"), np.arange(64))
    np.testing.assert_allclose(np.median(scan.channel("elevation"), axis=1), np.median(hdl_scan.channel("elevation"), axis=1), atol=0.01)
    assert scan.T_world_sensor[0, 2, 3] == pytest.approx(1.73)


def test_kitti_labels_become_boxes_in_the_world(kitti):
    frame = open_reference(Reference(kind="kitti", root="kitti"), kitti).read("000007")
    assert frame.objects.class_name == ["Car"] and frame.labels == {"background": 0, "Car": 1}
    np.testing.assert_allclose(frame.objects.size[0], [4.0, 2.0, 2.0])
    # velodyne x = camera z + 0.27, y = -camera x, z = -camera y - 0.08; the label's point is the middle of the bottom face.
    np.testing.assert_allclose(frame.objects.T_world_box[0, :3, 3], [10.54, 3.0, -1.72 - 0.08 + 1.0 + 1.73], atol=1e-6)
    np.testing.assert_allclose(frame.objects.T_world_box[0, :3, 0], [1.0, 0.0, 0.0], atol=1e-6)
    scan = frame.sensors["lidar"]
    assert scan.view.visible[0] == (scan.channel("instance") == 1).sum() <= scan.view.alone[0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda r: (r / "velodyne/000007.bin").write_bytes(b"123"), "whole points of 4 float32"),
        (lambda r: np.full(64, 2.0, "<f4").tofile(r / "velodyne/000007.bin"), "not a KITTI velodyne file"),
        (lambda r: np.tile(np.array([5, 0.1, 0, 0.5], "<f4"), 40).tofile(r / "velodyne/000007.bin"), "sweep of an HDL-64E"),
        (lambda r: (r / "velodyne/000007.bin").unlink(), "holds no .bin file"),
        (lambda r: (r / "calib/000007.txt").write_text("P2: 1 2 x\n"), "'P2' must hold numbers"),
        (lambda r: (r / "label_2/000007.txt").write_text("Car 1 2\n"), "a class and 14 numbers"),
    ],
)
def test_damaged_kitti_files_are_named(kitti, change, message):
    change(kitti / "kitti")
    with pytest.raises(UserError, match=message):
        open_reference(Reference(kind="kitti", root="kitti"), kitti).read("000007")


@pytest.mark.parametrize(
    ("cfg", "message"),
    [
        ({"kind": "kitti", "root": "absent"}, "does not exist"),
        ({"kind": "kitti", "root": "../.."}, "must stay inside"),
        ({"kind": "kitti", "root": "."}, "must hold the folder 'velodyne'"),
        ({"kind": "av2", "root": "kitti"}, "holds no lidar_"),
        ({"kind": "none"}, "one that holds recordings"),
        ({"kind": "kitti", "root": "kitti", "sensor": "vlp16"}, "must be one the reference was recorded with"),
        ({"kind": "kitti", "root": "kitti", "options": {"recording": 1}}, "did you mean 'recordings'"),
        ({"kind": "kitti", "root": "kitti", "split": {"feedback": ["000008"]}}, "did you mean '000007'"),
    ],
)
def test_wrong_references_are_named(kitti, cfg, message):
    with pytest.raises(UserError, match=message):
        open_reference(Reference(**cfg), kitti)


def test_four_recordings_are_groups_fewer_are_place_blocks():
    many = [Entry(f"{r}{i}", r, i) for r in "abcd" for i in range(3)]
    assert make_groups(many)["b"] == ["b0", "b1", "b2"]
    few = [Entry(f"a{i:02d}", "a", i) for i in range(12)] + [Entry("b0", "b", 0)]
    groups = make_groups(few)
    assert sorted(groups) == ["a#0", "a#1", "a#2", "a#3", "a#4", "b"]
    assert [n for g in sorted(groups) for n in groups[g]] == [e.name for e in few]


def test_whole_groups_are_dealt_to_the_parts():
    groups = {f"g{i}": [f"g{i}-{k}" for k in range(3)] for i in range(12)}
    split = automatic_split(groups)
    assert {p: len(v) for p, v in split.items()} == {"feedback": 21, "holdout": 9, "audit": 6}
    assert automatic_split(dict(reversed(groups.items()))) == split
    assert automatic_split({"only": ["x"]}) == {"feedback": ["x"], "holdout": [], "audit": []}


def test_an_explicit_split_wins_and_is_checked():
    groups = {"a": ["a0", "a1"], "b": ["b0"]}
    assert explicit_split(groups, {"feedback": ["a0"], "holdout": ["b"]}) == {"feedback": ["a0"], "holdout": ["b0"], "audit": []}
    with pytest.raises(UserError, match="one part only"):
        explicit_split(groups, {"feedback": ["a"], "holdout": ["a1"]})
    with pytest.raises(UserError, match="at least one group"):
        explicit_split(groups, {"holdout": ["a"]})
    entries = [Entry("a0", "r"), Entry("a1", "r"), Entry("b0", "s")]
    assert shares_a_recording({"feedback": ["a0"], "holdout": ["a1"], "audit": []}, entries)
    assert not shares_a_recording({"feedback": ["a0", "a1"], "holdout": ["b0"], "audit": []}, entries)


def _av2_log(folder, model):
    """One sweep of two heads, the lower one upside down, with one box."""
    folder.mkdir(parents=True)
    s = np.sqrt(0.5)
    poses = [
        {"sensor_name": "up_lidar", "qw": 1.0, "qx": 0.0, "qy": 0.0, "qz": 0.0, "tx_m": 1.3, "ty_m": 0.0, "tz_m": 1.6},
        {"sensor_name": "down_lidar", "qw": 0.0, "qx": 1.0, "qy": 0.0, "qz": 0.0, "tx_m": 1.3, "ty_m": 0.0, "tz_m": 1.5},
        {"sensor_name": "ring_front_center", "qw": 0.5, "qx": -0.5, "qy": 0.5, "qz": -0.5, "tx_m": 1.6, "ty_m": 0.0, "tz_m": 1.4},
    ]
    camera = {"sensor_name": "ring_front_center", "fx_px": 1700, "fy_px": 1700, "cx_px": 775, "cy_px": 1023, "width_px": 1550, "height_px": 2048}
    (folder / "calibration.json").write_text(json.dumps({"egovehicle_SE3_sensor": poses, "intrinsics": [camera]}))
    points = street_scan(model, 6, boxes=4).points()
    flip = np.diag([1.0, -1.0, -1.0])
    up = points["xyz"] + [1.3, 0.0, 1.6]
    down = points["xyz"] @ flip.T + [1.3, 0.0, 1.5]
    offset = np.tile(points["time_offset"], 2)
    laser = np.concatenate([points["ring"], points["ring"] + 32]).astype(np.uint8)
    intensity = np.tile(points["intensity"] * 255, 2).astype(np.uint8)
    xyz = np.concatenate([up, down]).astype(np.float16).astype(np.float32)
    np.savez(folder / "lidar_1000.npz", xyz=xyz, intensity=intensity, laser_number=laser, offset_ns=offset)
    box = {k: np.array([v]) for k, v in {"length_m": 4.0, "width_m": 2.0, "height_m": 2.0, "qw": s, "qx": 0.0, "qy": 0.0, "qz": s}.items()}
    box |= {"tx_m": np.array([9.0]), "ty_m": np.array([1.0]), "tz_m": np.array([0.5]), "timestamp_ns": np.array([1000])}
    np.savez(folder / "annotations.npz", category=np.array(["BUS"]), num_interior_pts=np.array([0]), **box)
    return len(points["xyz"])


def test_av2_heads_are_taken_apart(tmp_path):
    model = load_sensor("vlp32c")[0]
    count = _av2_log(tmp_path / "av2/log0", model)
    reference = open_reference(Reference(kind="av2", root="av2", sensor="vlp32c"), tmp_path)
    assert reference.sensors == {"up_lidar": "vlp32c", "down_lidar": "vlp32c"}
    assert any("float16" in n for n in reference.notes)
    frame = reference.read("log0/1000")
    for name, scan in frame.sensors.items():
        # Lasers look up to 4.2 deg aside, which is 21 columns on either side.
        assert scan.channel("range").shape[0] == 32 and 0 <= scan.channel("range").shape[1] - model.columns <= 44
        assert (scan.channel("range") > 0).sum() >= 0.998 * count, name
        np.testing.assert_allclose(np.median(scan.channel("elevation"), axis=1), model.elevation_deg, atol=0.05)
    box = frame.objects.T_world_box[0]
    np.testing.assert_allclose(box[:3, 3], [9.0, 1.0, 0.86], atol=1e-9)
    np.testing.assert_allclose(box[:3, 0], [0.0, 1.0, 0.0], atol=1e-9)
    assert frame.objects.class_name == ["BUS"]


def test_rigs_from_calibration_have_the_sensors_poses(tmp_path, kitti):
    _av2_log(tmp_path / "av2/log0", load_sensor("vlp32c")[0])
    rig = resolve(rig_from("av2:av2/log0", tmp_path))
    assert sorted(rig.sensors) == ["down_lidar", "ring_front_center", "up_lidar"]
    np.testing.assert_allclose(rig.sensors["down_lidar"].T_rig_sensor[:3, :3], np.diag([1.0, -1.0, -1.0]), atol=1e-12)
    camera = rig.sensors["ring_front_center"]
    np.testing.assert_allclose(camera.T_rig_sensor[:3, :3] @ [0, 0, 1], [1, 0, 0], atol=1e-12)
    assert (camera.model.width, camera.model.cx) == (387, pytest.approx(193.375))
    front = resolve(rig_from("kitti:kitti", kitti)).sensors["camera"]
    np.testing.assert_allclose(front.T_rig_sensor[:3, 3], [0.27, 0.05, 1.65], atol=1e-9)
    assert front.model.fx == 700.0
    with pytest.raises(UserError, match="did you mean 'kitti'"):
        rig_from("kiti:kitti", kitti)


def test_a_mount_gives_its_pose_back():
    from tailgate.config.rig import pose
    from tailgate.config.sensor import Mount

    model, _ = load_sensor("vlp16")
    for rpy in ((10.0, -20.0, 130.0), (180.0, 3.0, -11.0), (0.0, 90.0, 25.0)):
        T = pose(Mount(xyz=(1.0, 2.0, 3.0), rpy_deg=rpy), model)
        np.testing.assert_allclose(pose(mount_of(T, camera=False), model), T, atol=1e-9)


def test_a_frame_may_lack_a_sensor_that_others_have():
    held = {"a": {"camera": None, "lidar": None}, "b": {"lidar": None}}
    frames = {n: Frame(FrameId("x", 0, 0), sensors, None, {}) for n, sensors in held.items()}
    reader = SimpleNamespace(entries=lambda: [Entry(n, n) for n in frames], read=frames.get)
    read = _read_one(reader, ["camera", "lidar"])
    assert [sorted(read(n).sensors) for n in frames] == [["camera", "lidar"], ["lidar"]]


def test_a_run_knows_a_reference_by_the_files_behind_its_links(tmp_path):
    (tmp_path / "data/kitti").mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/a.bin").write_bytes(b"1")
    (tmp_path / "data/kitti/velodyne").symlink_to(tmp_path / "elsewhere")

    def known(**more):
        cfg = Reference(kind="kitti", root="kitti", **more)
        return reference_hash(SimpleNamespace(budget=SimpleNamespace(reference=cfg), data=tmp_path / "data"))

    before = known()
    assert known() == before != known(options={"recordings": {}})
    (tmp_path / "elsewhere/a.bin").write_bytes(b"2")
    assert known() != before


def test_evidence_of_a_run_s_reference_has_a_file_for_any_name(tmp_path, monkeypatch):
    names = ["a/b", "a_b", "c" * 300]
    monkeypatch.setattr(evidence, "measure", lambda frame, name, group, **_: evidence.Evidence(codes=[name]))
    (tmp_path / "evidence").mkdir()
    spec = SimpleNamespace(out=tmp_path, backbone=lambda: None)
    found = _measure_part(spec, ReferenceSet({"g": names}, {"feedback": names}, False, [], lambda name: None), "feedback")
    assert [e.codes for e in found["g"]] == [[name] for name in names]
