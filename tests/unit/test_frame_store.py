"""The frame store: everything comes back, the digest sees content only, damage is told."""

import dataclasses

import numpy as np
import pytest
from frames_fixture import make_frame
from tailgate.datasets import store
from tailgate.datasets.store import digest, load, save
from tailgate.errors import UserError
from tailgate.frames import Objects, ObjectView


def _equal(a, b):
    if isinstance(a, np.ndarray):
        return isinstance(b, np.ndarray) and a.dtype == b.dtype and a.shape == b.shape and np.array_equal(a, b, equal_nan=a.dtype.kind == "f")
    if dataclasses.is_dataclass(a):
        return all(_equal(getattr(a, f.name), getattr(b, f.name)) for f in dataclasses.fields(a))
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(_equal(a[k], b[k]) for k in a)
    return a == b


def test_a_frame_comes_back_bit_for_bit(tmp_path, packages):
    frame = make_frame()
    save(frame, tmp_path / "f")
    back = load(tmp_path / "f")
    assert _equal(frame, back)
    assert digest(back) == digest(frame)
    assert [p.name for p in tmp_path.iterdir()] == ["f"]


def test_saving_again_replaces(tmp_path):
    save(make_frame(0), tmp_path / "f")
    save(make_frame(1), tmp_path / "f")
    assert digest(load(tmp_path / "f")) == digest(make_frame(1))


def test_ids_beyond_16_bits_infinite_depth_and_no_objects(tmp_path, packages):
    frame = make_frame()
    frame.sensors["camera"].channels["instance_segmentation"][0, 0] = 4_000_000_000
    assert np.isinf(frame.sensors["camera"].channels["distance_to_camera"]).any()
    none = np.zeros(0, np.float32)
    frame.objects = Objects(np.zeros(0, np.int32), [], np.zeros((0, 4, 4)), np.zeros((0, 3)), [])
    for sensor in frame.sensors.values():
        boxes = np.zeros((0, 4), np.float32)
        sensor.view = ObjectView(boxes, boxes, none.astype(np.int32), none.astype(np.int32), none, none, none)
    save(frame, tmp_path / "f")
    assert _equal(frame, load(tmp_path / "f"))


def test_digest_ignores_order():
    frame, other = make_frame(), make_frame()
    other.sensors = dict(reversed(other.sensors.items()))
    for sensor in other.sensors.values():
        sensor.channels = dict(reversed(sensor.channels.items()))
    rows = np.array([2, 0, 3, 1])
    o = other.objects
    other.objects = Objects(o.instance[rows], [o.class_name[r] for r in rows], o.T_world_box[rows], o.size[rows], [o.asset[r] for r in rows])
    for sensor in other.sensors.values():
        sensor.view = ObjectView(*(getattr(sensor.view, f.name)[rows] for f in dataclasses.fields(ObjectView)))
    other.labels = dict(reversed(other.labels.items()))
    assert digest(other) == digest(frame)


@pytest.mark.parametrize("change", ["pixel", "pose", "label", "box", "dtype"])
def test_digest_sees_content(change):
    frame, other = make_frame(), make_frame()
    camera = other.sensors["camera"]
    if change == "pixel":
        camera.channels["rgb"][3, 4, 1] ^= 1
    elif change == "pose":
        camera.T_world_sensor[1, 0, 3] += 1e-12
    elif change == "label":
        other.labels["Car"] = 9
    elif change == "box":
        camera.view.bbox_tight[0, 0] += 1
    else:
        camera.channels["distance_to_camera"] = camera.channels["distance_to_camera"].astype(np.float64)
    assert digest(other) != digest(frame)


@pytest.fixture(params=["all packages", "what Kit ships"])
def packages(request, monkeypatch):
    """Save with OpenCV and Blosc2, or without."""
    if request.param != "all packages":
        monkeypatch.setattr(store, "found", lambda module: None)


def test_folders_differ_in_codecs_not_in_content(tmp_path, monkeypatch):
    frame = make_frame()
    save(frame, tmp_path / "full")
    monkeypatch.setattr(store, "found", lambda module: None)
    save(frame, tmp_path / "bare")
    assert sorted(p.name for p in (tmp_path / "bare").iterdir()) == ["arrays.bin", "frame.json"]
    assert _equal(load(tmp_path / "bare"), load(tmp_path / "full")) and digest(load(tmp_path / "bare")) == digest(frame)


def test_damaged_arrays_are_told_in_one_sentence(tmp_path, packages):
    save(make_frame(), tmp_path / "f")
    file = tmp_path / "f" / "arrays.bin"
    file.write_bytes(bytes(len(file.read_bytes())))
    with pytest.raises(UserError, match="damaged"):
        load(tmp_path / "f")


def test_damage_is_told_in_one_sentence(tmp_path):
    save(make_frame(), tmp_path / "f")
    data = (tmp_path / "f" / "arrays.bin").read_bytes()
    (tmp_path / "f" / "arrays.bin").write_bytes(data[: len(data) // 2])
    with pytest.raises(UserError, match="damaged"):
        load(tmp_path / "f")
    (tmp_path / "f" / "camera.rgb.png").write_bytes(b"no image")
    with pytest.raises(UserError, match="damaged"):
        load(tmp_path / "f")
    (tmp_path / "f" / "camera.rgb.png").unlink()
    with pytest.raises(UserError, match="camera.rgb.png is missing"):
        load(tmp_path / "f")
    with pytest.raises(UserError, match="no whole frame"):
        load(tmp_path / "g")
