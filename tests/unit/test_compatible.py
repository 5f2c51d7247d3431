"""Sets that cannot be compared are refused by name, and equal ones pass."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tailgate.cli  # noqa: F401 (registers the commands)
from frames_fixture import make_frame
from tailgate.cli.app import app
from tailgate.errors import UserError
from tailgate.frames import Frame, FrameId, Intrinsics, Objects, ObjectView, SensorFrame
from tailgate.reference.compatible import Side, check_compatible
from tailgate.reference.labelmap import LabelMap, load_label_map
from tailgate.reference.optics import up_direction
from typer.main import get_command

CAR, PERSON = ("Car", (4.2, 1.8, 1.5)), ("Pedestrian", (0.6, 0.6, 1.7))
REAL, SYNTH = Path("REAL"), Path("SYNTH")


def _objects(boxes=()):
    n = len(boxes)
    T = np.tile(np.eye(4), (n, 1, 1))
    T[:, 0, 3] = 10
    return Objects(np.arange(1, n + 1, dtype=np.int32), [c for c, _ in boxes], T, np.array([s for _, s in boxes], float).reshape(n, 3), [""] * n)


def _view(n):
    none = np.full((n, 4), -1, np.float32)
    return ObjectView(none, none.copy(), np.ones(n, np.int32), np.ones(n, np.int32), *(np.zeros(n, np.float32) for _ in range(3)))


def scan(beams=16, columns=180, low=-20.0, high=5.0, turn=None, unit=1.0, intensity=1.0, boxes=()):
    """A LiDAR 2 m above a plane inside a round wall 30 m away; ``turn`` changes its axes."""
    azimuth, elevation = np.meshgrid(np.linspace(180, -180, columns, endpoint=False), np.linspace(high, low, beams))
    a, e = np.deg2rad(azimuth), np.deg2rad(elevation)
    d = np.stack([np.cos(e) * np.cos(a), np.cos(e) * np.sin(a), np.sin(e)], axis=-1)
    with np.errstate(divide="ignore"):
        ground = np.where(d[..., 2] < 0, -2.0 / d[..., 2], np.inf)
    rng = np.minimum(ground, 30 / np.cos(e)) * unit
    if turn is not None:
        d = d @ np.asarray(turn, float).T
        azimuth, elevation = np.rad2deg(np.arctan2(d[..., 1], d[..., 0])), np.rad2deg(np.arcsin(np.clip(d[..., 2], -1, 1)))
    channels = {
        "range": rng[..., None].astype(np.float32),
        "intensity": np.full((beams, columns, 1), 0.4 * intensity, np.float32),
        "azimuth": azimuth.astype(np.float32),
        "elevation": elevation.astype(np.float32),
        "ring": np.arange(beams, dtype=np.int32),
    }
    objects = _objects(boxes)
    sensor = SensorFrame("lidar", channels, np.stack([np.eye(4)] * 2), 0, 0, _view(len(objects)), None, "x")
    labels = {"background": 0, **{c: i for i, (c, _) in enumerate(boxes, 1)}}
    return Frame(FrameId("x", 0, 0), {"lidar": sensor}, objects, labels)


def image(width=64, height=48, focal=60.0, depth=2.0):
    channels = {
        "rgb": np.zeros((height, width, 4), np.uint8),
        "distance_to_image_plane": np.full((height, width), depth, np.float32),
        "valid": np.ones((height, width), np.uint8),
    }
    k = Intrinsics(width, height, focal, focal, width / 2, height / 2)
    sensor = SensorFrame("camera", channels, np.stack([np.eye(4)] * 2), 0, 0, _view(0), k, "x")
    return Frame(FrameId("x", 0, 0), {"camera": sensor}, _objects(), {"background": 0})


def two_heads():
    """A rig with one LiDAR upright and one upside down."""
    upright, turned = scan(), scan(turn=UPSIDE_DOWN)
    return replace(upright, sensors={"up": upright.sensors["lidar"], "down": turned.sensors["lidar"]})


def empty_boxes():
    """Boxes that hold no return."""
    frame = scan(boxes=[CAR] * 5)
    frame.sensors["lidar"].view.visible[:] = 0
    return frame


def compare(real, synthetic):
    sides = [Side(root, dict(enumerate_names(frames))) for root, frames in ((REAL, real), (SYNTH, synthetic))]
    return check_compatible(*sides)


def enumerate_names(frames):
    return ((f"f{i}", frame) for i, frame in enumerate(frames if isinstance(frames, list) else [frames]))


CAMERA_AXES = [[0, -1, 0], [0, 0, -1], [1, 0, 0]]
UPSIDE_DOWN = np.diag([1, -1, -1])


@pytest.mark.parametrize(
    ("real", "synthetic", "words"),
    [
        (scan(), image(), "SYNTH: must hold the reference's kind of sensor (lidar), got rgbd"),
        (scan(), scan(beams=32), "SYNTH/f0: LiDAR 'lidar' must be the reference's 'lidar': 32 beams against 16"),
        (scan(), scan(columns=150), "2.4000 deg between columns against 2.0000"),
        (scan(), scan(low=-30.0, high=15.0), "elevations -30.0 to 15.0 deg against -20.0 to 5.0"),
        (image(), image(focal=66.0), "whose depth is judged in pixels: focal length 66.0 px against 60.0 px"),
        (scan(), scan(unit=1000), "SYNTH/f0: the median distance of lidar 'lidar' must lie in 0.3-500 m"),
        (scan(), scan(unit=0.01), "got 0.1"),
        (scan(unit=0.1), scan(unit=10), "(centimetres read as metres?)"),
        (scan(unit=0.2), scan(unit=0.2 * 39.37), "(inches read as metres?)"),
        (scan(unit=10), scan(unit=0.1), "(metres read as centimetres?)"),
        (image(), image(depth=2000.0), "must lie in 0.05-100 m, got 2000 m (millimetres or centimetres read as metres?)"),
        (image(depth=0.09), image(depth=90.0), "(millimetres read as metres?)"),
        (scan(), scan(turn=CAMERA_AXES), "up is -y in the frame of LiDAR 'lidar', z in that of the reference's 'lidar' (camera axes?)"),
        (scan(), scan(turn=UPSIDE_DOWN), "up is -z in the frame of LiDAR 'lidar', z in"),
        (scan(boxes=[CAR]), empty_boxes(), "SYNTH: 5 boxes within 30 m hold no return"),
        (scan(), scan(intensity=255), "SYNTH/f0: intensity of 'lidar' must lie in 0..1, got up to 102 (0-255?)"),
        (scan(), scan(intensity=1 / 255), "one scale is not 0..1"),
        (scan(), [scan(), scan(beams=32)], "SYNTH/f1: sensor 'lidar' must be the same in every frame: 16 beams against 32 (frame f0 against f1)"),
        ([scan(), scan(columns=90)], scan(), "REAL/f1: sensor 'lidar' must be the same in every frame"),
        (image(), [image(), image(width=32)], "SYNTH/f1: sensor 'camera' must be the same in every frame: 64 x 48 against 32 x 48 px"),
        (scan(boxes=[CAR]), scan(boxes=[("car", CAR[1])]), "class 'car' is 'Car' in the reference; rename it with --labels"),
        (scan(boxes=[CAR]), scan(boxes=[("vehicle.car", CAR[1])]), "class 'vehicle.car' is 'Car'"),
        (scan(boxes=[CAR, PERSON]), scan(boxes=[("Car", PERSON[1]), ("Pedestrian", CAR[1])]), "classes 'Car' and 'Pedestrian' look swapped"),
    ],
)  # fmt: skip
def test_what_cannot_be_compared_is_refused(real, synthetic, words):
    with pytest.raises(UserError, match=re.escape(words)):
        compare(real, synthetic)


def test_all_classes_to_rename_are_said_at_once_as_a_map_to_paste(tmp_path):
    """The map that the refusal holds, written to a file, is what --labels takes; every command that compares has that option."""
    real = scan(boxes=[CAR, PERSON])
    synthetic = scan(boxes=[("car", CAR[1]), ("human.pedestrian", PERSON[1])])
    with pytest.raises(UserError, match="classes 'car', 'human.pedestrian' are 'Car', 'Pedestrian' in the reference") as refused:
        compare(real, synthetic)
    file = tmp_path / "labels.yaml"
    file.write_text(refused.value.message.partition("«")[2].rstrip("»"))
    assert compare(real, load_label_map(file).apply(synthetic)) == []
    commands = get_command(app).commands
    assert all("--labels" in {o for p in commands[name].params for o in p.opts} for name in ("score", "gap"))


def test_classes_that_were_not_met_are_one_note():
    (note,) = compare(scan(boxes=[CAR]), scan(boxes=[(name, (1.1, 0.7, 1.3)) for name in ("kart", "stroller", "wheelchair user")]))
    named = "'kart' (did you mean 'Car'?), 'stroller', 'wheelchair user'"
    assert note == f"Classes {named} were not met in the reference (known: Car); --labels can rename them."


def test_another_rate_is_told():
    assert compare(scan(), scan(columns=175)) == ["LiDAR columns lie 2.0571 deg apart against 2.0000 deg in the reference."]
    assert compare(scan(), scan(columns=178)) == []


@pytest.mark.parametrize(
    ("real", "synthetic"),
    [
        (scan(), scan(columns=178)),
        (scan(), scan(low=-21.5, high=6.0)),
        (scan(), scan(unit=0.3)),
        (scan(), scan(intensity=0.2)),
        (two_heads(), two_heads()),
        (two_heads(), scan(turn=UPSIDE_DOWN)),
        (image(), image(focal=62.0, depth=0.5)),
        (scan(boxes=[CAR, PERSON]), scan(boxes=[("Car", (7.0, 2.2, 2.9)), PERSON])),
        (make_frame(0), make_frame(1)),
    ],
)
def test_what_real_sets_differ_in_passes(real, synthetic):
    assert compare(real, synthetic) == []


@pytest.mark.parametrize(
    ("real", "synthetic", "words"),
    [
        (image(), image(width=80, height=60), "Images are 80 x 60 px against 64 x 48 in the reference, at the same focal length."),
        (scan(), scan(intensity=0), "SYNTH has no intensity: it is 0 everywhere."),
        (scan(boxes=[CAR]), scan(boxes=[("wheelchair user", (1.1, 0.7, 1.3))]), "Class 'wheelchair user' was not met in the reference"),
        (make_frame(0), make_frame(1, lidars=0), "Only one side holds lidar: colour is compared."),
    ],
)
def test_what_must_be_said(real, synthetic, words):
    assert any(words in note for note in compare(real, synthetic))


def test_up_of_a_short_or_round_cloud_is_not_told():
    gen = np.random.default_rng(0)
    ball = gen.normal(size=(5000, 3))
    assert up_direction([ball]) is None and up_direction([]) is None and up_direction([ball[:50]]) is None


def test_up_between_floor_and_ceiling_has_no_sign():
    frame = scan(low=-20, high=20)
    points = frame.sensors["lidar"].points()["xyz"]
    mirrored = points * [1, 1, -1]
    up = up_direction([points, mirrored])
    assert not up.signed and abs(up.axis[2]) > 0.99


MAP = "classes:\n  Car: vehicle\n  Pedestrian: person\nignore: [wheelchair user]\n"


def test_a_label_map_renames_and_drops(tmp_path):
    (tmp_path / "labels.yaml").write_text(MAP)
    frame = make_frame()
    frame = load_label_map(tmp_path / "labels.yaml").apply(frame)
    plain = make_frame()
    assert frame.objects.class_name == ["vehicle", "person", "person"] and frame.objects.instance.tolist() == [3, 1, 12]
    assert frame.labels == {"ground": 1, "vehicle": 2, "person": 3}
    for name, channel in (("camera", "instance_segmentation"), ("lidar", "instance")):
        before, after = plain.sensors[name].channels[channel], frame.sensors[name].channels[channel]
        np.testing.assert_array_equal(after, np.where(before == 7, 0, before))
        assert len(frame.sensors[name].view.visible) == 3
    before, after = (f.sensors["camera"].channels["semantic_segmentation"] for f in (plain, frame))
    np.testing.assert_array_equal(after, np.where(before == 4, 0, before))


def test_two_classes_that_become_one_share_an_id():
    frame = LabelMap(classes={"Car": "thing", "Pedestrian": "thing"}).apply(make_frame())
    assert frame.labels == {"ground": 1, "thing": 2, "wheelchair user": 4}
    assert set(np.unique(frame.sensors["camera"].channels["semantic_segmentation"])) <= {0, 1, 2, 4}


def test_a_label_map_makes_sets_comparable():
    real, synthetic = scan(boxes=[CAR]), scan(boxes=[("car", CAR[1])])
    renamed = LabelMap(classes={"car": "Car"}).apply(synthetic)
    assert compare(real, renamed) == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("classes:\n  Car: 3\n", "labels.yaml:2: classes.Car: Car must be text, got 3"),
        ("classes:\n  Car: car\nignored: [x]\n", "labels.yaml:3: ignored: unknown key 'ignored' (did you mean 'ignore'?)"),
        ("classes:\n  Car: car\nignore: [Car]\n", "labels.yaml:2: classes.Car: 'Car' must be renamed or ignored, not both"),
        ("classes: [Car]\n", "labels.yaml:1: classes: classes must be a mapping"),
        ("classes:\n  Car: a\n  Car: b\n", "labels.yaml:3: is not valid YAML"),
        ("- Car\n", "labels.yaml:1: must be a mapping"),
    ],
)
def test_mistakes_in_a_label_map(tmp_path, text, words):
    (tmp_path / "labels.yaml").write_text(text)
    with pytest.raises(UserError, match=re.escape(words)):
        load_label_map(tmp_path / "labels.yaml")


def test_a_side_looks_at_frames_spread_over_the_set():
    class Reader:
        def read(self, name):
            return replace(scan(), labels={name: 1})

    from tailgate.reference.reader import Entry

    side = Side.of(REAL, Reader(), [Entry(f"f{i}", "r", i) for i in range(41)])
    assert list(side.frames) == ["f0", "f10", "f20", "f30", "f40"] and side.frames["f40"].labels == {"f40": 1}
