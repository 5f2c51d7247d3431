"""Our own SemanticKITTI export reads back exactly; the dataset's layout and every damage to it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from frames_fixture import make_frame
from sweeps import room_sweep
from tailgate.config.rig import load_sensor
from tailgate.datasets.semantickitti import SemanticKittiWriter
from tailgate.errors import UserError
from tailgate.frames import FrameId
from tailgate.reference.open import open_reader
from tailgate.reference.semantickitti import SemanticKittiReader


def firing_table(points: np.ndarray, ring: np.ndarray) -> np.ndarray:
    """Indices that sort points [n, 3] into ring after ring, each by rising azimuth."""
    return np.lexsort((np.arctan2(points[:, 1], points[:, 0]) % (2 * np.pi), ring))


@pytest.fixture
def sequence(tmp_path: Path) -> Path:
    sweep = room_sweep()
    xyz, ring = sweep.xyz.reshape(-1, 3), sweep.ring.reshape(-1)
    order = firing_table(xyz, ring)
    folder = tmp_path / "sequences" / "08"
    (folder / "velodyne").mkdir(parents=True)
    (folder / "labels").mkdir()
    np.column_stack([xyz, np.full(len(xyz), 0.25)])[order].astype("<f4").tofile(folder / "velodyne" / "000007.bin")
    np.where(ring == 7, 40, (3 << 16) | 10)[order].astype("<u4").tofile(folder / "labels" / "000007.label")
    return tmp_path


def test_own_export_reads_back_exactly(tmp_path):
    frames, writer = [make_frame(i) for i in range(3)], SemanticKittiWriter(tmp_path)
    for frame in frames:
        writer.add(frame)
    writer.finish()
    reader, entries = open_reader("semantickitti", tmp_path, {})
    assert [e.recording for e in entries] == [f"00/street-r000-{i:06d}-a00" for i in range(3)]
    for frame, entry in zip(frames, entries, strict=True):
        back = reader.read(entry.name)
        assert back.labels == {"background": 0, **frame.labels}
        wrote, found = frame.sensors["lidar"].points(), back.sensors["lidar"].points()
        by_place = [np.lexsort(np.round(p["xyz"], 3).T) for p in (wrote, found)]
        assert np.abs(wrote["xyz"][by_place[0]] - found["xyz"][by_place[1]]).max() < 1e-5
        for name in ("semantic", "instance", "intensity"):
            assert np.array_equal(wrote[name][by_place[0]], found[name][by_place[1]]), name


def test_clips_of_several_frames_have_sequences_of_their_own(tmp_path):
    """Interleaved with clips of one frame, which share a sequence; each LiDAR has its own, and times rise in all."""
    ids = [FrameId("street", 0, 0), *(FrameId("street", 0, 1, tick=k) for k in range(3)), FrameId("street", 0, 2)]
    ids += [FrameId("street", 0, 3, tick=k) for k in range(2)]
    writer = SemanticKittiWriter(tmp_path, {"street-r000-000001-a00", "street-r000-000003-a00"})
    for k, name in enumerate(ids):
        frame = make_frame(k, lidars=2)
        start = (name.tick - 3) * 100_000_000
        writer.add(replace(frame, id=name, sensors={n: replace(s, t_start=start) for n, s in frame.sensors.items()}))
    assert writer.finish()["sequences"] == ["00", "01", "02", "03", "04", "05"]
    clips = [name.clip for name in ids]
    held = {"00": [clips[0], clips[4]], "02": clips[1:4], "04": clips[5:]}
    for sequence in (tmp_path / "sequences").iterdir():
        times = np.loadtxt(sequence / "times.txt", ndmin=1)
        assert (np.diff(times) > 0).all() and (np.diff(times) > 500).all() == (sequence.name in ("00", "01"))
        scans, poses = sorted((sequence / "velodyne").iterdir()), np.loadtxt(sequence / "poses.txt", ndmin=2)
        assert [p.stem for p in scans] == [f"{k:06d}" for k in range(len(times))] and poses.shape == (len(times), 12)
    entries = open_reader("semantickitti", tmp_path, {})[1]
    for sequence, found in held.items():
        assert sorted(e.recording for e in entries if e.name.startswith(f"{sequence}/")) == sorted(f"{sequence}/{clip}" for clip in found)


def test_labels_of_the_dataset(sequence):
    reader, entries = open_reader("semantickitti", sequence, {"model": "toy", "height": "1.5"})
    assert [(e.name, e.recording) for e in entries] == [("08/000007", "08")]
    frame = reader.read("08/000007")
    lidar = frame.sensors["lidar"]
    assert lidar.channels["range"].shape == (8, 180, 1) and (lidar.channels["range"] > 0).all()
    assert np.all(lidar.channels["semantic"][7] == frame.labels["road"]) and np.all(lidar.channels["semantic"][:7] == frame.labels["car"])
    assert np.all(lidar.channels["instance"][:7] == 3) and frame.objects.instance.tolist() == [3]
    assert (frame.objects.class_name, frame.objects.track, lidar.view.visible.tolist()) == (["car"], ["car 3"], [7 * 180])
    assert lidar.T_world_sensor[0, 2, 3] == 1.5 and reader.sensors == {"lidar": "toy"}
    assert "100.00 %" in reader.notes[0]


def test_one_sequence_folder_without_labels(sequence):
    for path in (sequence / "sequences" / "08" / "labels").iterdir():
        path.unlink()
    (sequence / "sequences" / "08" / "labels").rmdir()
    frame = SemanticKittiReader(sequence / "sequences" / "08").read("08/000007")
    assert "semantic" not in frame.sensors["lidar"].channels


def test_damage_is_named(sequence):
    folder = sequence / "sequences" / "08"
    points, labels = folder / "velodyne" / "000007.bin", folder / "labels" / "000007.label"
    good = labels.read_bytes()
    labels.write_bytes(good[:-4])
    with pytest.raises(UserError, match=r"000007\.label: must hold one uint32 per point of its sweep \(5760 bytes\), got 5756"):
        SemanticKittiReader(sequence)
    labels.write_bytes(np.full(1440, 5, "<u4").tobytes())
    with pytest.raises(UserError, match=r"000007\.label: holds the class number 5"):
        SemanticKittiReader(sequence)
    labels.unlink()
    with pytest.raises(UserError, match=r"000007\.label: file not found"):
        SemanticKittiReader(sequence)
    labels.write_bytes(good)
    (sequence / "semantic-kitti.yaml").write_text("labels:\n  road: 40\n")
    with pytest.raises(UserError, match=r"semantic-kitti\.yaml:1: labels: .* class numbers to names"):
        SemanticKittiReader(sequence)
    (sequence / "semantic-kitti.yaml").unlink()
    raw = np.frombuffer(points.read_bytes(), "<f4").reshape(-1, 4)
    nan = raw.copy()
    nan[5, 1] = np.nan
    shuffled = np.random.default_rng(8).permutation(raw)
    for content, match in ((b"", "4 float32"), (points.read_bytes()[:-3], "4 float32"), (nan, "finite"), (shuffled, "firing-table order")):
        points.write_bytes(content if isinstance(content, bytes) else content.tobytes())
        with pytest.raises(UserError, match=rf"000007\.bin: .*{match}"):
            SemanticKittiReader(sequence)


def test_other_mistakes(tmp_path, sequence):
    with pytest.raises(UserError, match="unknown option 'hight'.*did you mean 'height'"):
        SemanticKittiReader(sequence, {"hight": 2})
    with pytest.raises(UserError, match=r"reference\.options\.height: must be a number"):
        SemanticKittiReader(sequence, {"height": "tall"})
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"empty: must hold sequences/<NN>/velodyne"):
        SemanticKittiReader(tmp_path / "empty")


def test_a_beam_without_a_return_keeps_its_row(tmp_path):
    table = load_sensor("vlp16")[0].elevation_deg
    elevation, azimuth = np.meshgrid(np.deg2rad(np.sort(table)[::-1]), np.deg2rad(np.arange(0.5, 360.5)), indexing="ij")
    xyz = 9.0 * np.stack([np.cos(elevation) * np.cos(azimuth), np.cos(elevation) * np.sin(azimuth), np.sin(elevation)], axis=-1)
    folder = tmp_path / "sequences" / "00" / "velodyne"
    folder.mkdir(parents=True)
    kept = np.delete(xyz, 5, axis=0).reshape(-1, 3)
    np.column_stack([kept, np.full(len(kept), 0.25)]).astype("<f4").tofile(folder / "000000.bin")
    held = SemanticKittiReader(tmp_path, {"model": "vlp16"}).read("00/000000").sensors["lidar"].channels["range"][..., 0] > 0
    assert held.shape[0] == 16 and np.flatnonzero(~held.any(axis=1)).tolist() == [5]
