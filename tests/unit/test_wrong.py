"""Negative controls: each changes what it says, more with its strength, and nothing else."""

import copy
from dataclasses import replace

import numpy as np
import pytest
from tailgate.frames import Frame, FrameId, Objects
from tailgate.rng import rng
from tailgate.validate.evidence import STATISTICS, measure
from tailgate.validate.sketch import compare, summarize
from tailgate.validate.wrong import CONTROLS
from tailgate.validate.wrong_sensors import kind_of
from wrong_frames import CROWD, lidar_frame, rgbd_frame

SEEN_BY = {
    "noise": ("range_noise", "beam_noise"),
    "density": ("hole_rate", "return_rate", "points_per_object"),
    "lost_firings": ("return_rate", "points_per_object"),
    "no_ray_drop": ("hole_rate",),
    "smoothed_normals": ("range_noise", "beam_noise"),
    "wrong_intensity": ("intensity",),
    "depth_noise": ("depth_noise", "depth_noise_fine", "depth_noise_spectrum"),
    "depth_density": ("depth_hole_rate",),
    "no_holes": ("depth_hole_rate",),
    "perfect_edges": ("edge_fattening",),
    "labels_shifted": ("label_edges",),
    "smoothed_depth": ("depth_noise", "depth_noise_fine"),
    "image_noise": ("rgb_noise",),
    "wrong_luminance": ("luminance",),
    "boxes_shifted": ("box_depth", "points_per_object"),
    "blob": ("box_depth",),
    "hollow_box": ("box_depth",),
}
"""Control -> statistics that must move, and move further with strength."""


MEASURED = {name: replace(statistic, min_count=5) for name, statistic in STATISTICS.items()}


@pytest.fixture(scope="module")
def frames() -> dict[str, Frame]:
    crowd = lidar_frame(CROWD)
    loose = replace(crowd, objects=replace(crowd.objects, size=np.asarray(crowd.objects.size) + 0.6))
    return {"lidar": lidar_frame(), "rgbd": rgbd_frame(), "objects": crowd, "loose": loose}


def generator() -> np.random.Generator:
    return rng(3, "", 0, 0, 0, "wrong")


def total(frame: Frame):
    return measure(frame, "a", "a").total


def same(a, b) -> bool:
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if hasattr(a, "__dataclass_fields__"):
        return all(same(getattr(a, k), getattr(b, k)) for k in a.__dataclass_fields__)
    return np.array_equal(a, b, equal_nan=True) if isinstance(a, np.ndarray) and a.dtype.kind == "f" else np.array_equal(a, b)


def neutral_strength(control) -> float:
    """What changes nothing: a factor of 1, a share or a shift of 0."""
    return 1.0 if "multiplied" in control.words or "divided" in control.words else 0.0


@pytest.mark.parametrize("name", CONTROLS)
def test_a_control_is_pure_deterministic_and_neutral(frames, name):
    control = CONTROLS[name]
    assert control.name == name and control.stated in control.strengths and list(control.strengths) == sorted(control.strengths)
    for frame in frames.values():
        before = copy.deepcopy(frame)
        first, second = (control.apply(frame, control.strengths[-1], generator()) for _ in range(2))
        assert same(frame, before) and same(first, second)
        untouched = control.apply(frame, neutral_strength(control), generator())
        counts, neutral = total(frame).counts, total(untouched).counts
        assert all(np.array_equal(counts[k], neutral[k]) for k in counts)


@pytest.mark.parametrize("name", [n for n, c in CONTROLS.items() if c.kind != "objects"])
def test_a_control_leaves_other_sensors_alone(frames, name):
    both = {**frames["lidar"].sensors, **frames["rgbd"].sensors}
    frame = Frame(FrameId("both", 0, 0), both, frames["lidar"].objects, frames["lidar"].labels)
    changed = CONTROLS[name].apply(frame, CONTROLS[name].strengths[-1], generator())
    for sensor in both:
        assert (changed.sensors[sensor] is both[sensor]) == (kind_of(both[sensor]) != CONTROLS[name].kind)
    assert changed.objects is frame.objects


@pytest.mark.parametrize("name", SEEN_BY)
def test_statistics_move_with_strength(frames, name):
    control = CONTROLS[name]
    kind = "objects" if "points_per_object" in SEEN_BY[name] else control.kind
    frame = frames["loose" if SEEN_BY[name] == ("box_depth",) else kind]  # the objects are boxes: only in looser ones do shapes differ from theirs
    base = total(frame)
    moved = [summarize(compare(base, total(control.apply(frame, s, generator())), MEASURED)) for s in control.strengths]
    for statistic in SEEN_BY[name]:
        path = [0.0, *(m[statistic] for m in moved)]
        assert (np.diff(path) > 0).all(), (statistic, path)


def test_noise_is_multiplied(frames):
    from tailgate.validate.wrong_lidar import range_noise
    from tailgate.validate.wrong_rgbd import noise_by_distance

    scan, camera = frames["lidar"], frames["rgbd"]
    noisy = CONTROLS["noise"].apply(scan, 2.0, generator())
    assert np.allclose(range_noise(noisy.sensors["top"])[1:3], 2 * range_noise(scan.sensors["top"])[1:3], rtol=0.15)
    deep = CONTROLS["depth_noise"].apply(camera, 2.0, generator()).sensors["kinect"]
    for statistic in ("depth_noise", "depth_noise_fine"):
        before, after = (noise_by_distance(s, statistic) for s in (camera.sensors["kinect"], deep))
        assert np.allclose(after / before, 2.0, rtol=0.2), (statistic, after / before)


def test_half_of_the_returns_are_lost(frames):
    scan = frames["lidar"]
    lost = CONTROLS["density"].apply(scan, 2.0, generator())
    kept = [np.count_nonzero(np.asarray(f.sensors["top"].channels["range"])) for f in (lost, scan)]
    assert kept[0] / kept[1] == pytest.approx(0.5, abs=0.02)


def test_boxes_move_sideways_by_the_stated_length(frames):
    moved = CONTROLS["boxes_shifted"].apply(frames["lidar"], 0.5, generator()).objects
    shift = moved.T_world_box[:, :3, 3] - frames["lidar"].objects.T_world_box[:, :3, 3]
    assert np.allclose(np.linalg.norm(shift, axis=1), 0.5) and (shift[:, 2] == 0).all()


def test_classes_swap_with_their_labels():
    frame = lidar_frame()
    many = Objects(np.arange(1, 401, dtype=np.int32), ["car", "pedestrian"] * 200, np.tile(np.eye(4), (400, 1, 1)), np.ones((400, 3)), [""] * 400)
    frame.objects = many
    before = np.asarray(frame.sensors["top"].channels["semantic"]).copy()
    control = CONTROLS["classes_swapped"]
    names = [control.apply(frame, s, generator()).objects.class_name for s in control.strengths]
    share = [np.mean([a != b for a, b in zip(swapped, many.class_name, strict=True)]) for swapped in names]
    assert np.allclose(share, control.strengths, atol=0.05)
    swapped = control.apply(frame, 1.0, generator())
    owner = np.asarray(frame.sensors["top"].channels["instance"])
    held = owner > 0
    after = np.asarray(swapped.sensors["top"].channels["semantic"])
    assert held.any() and (after[~held] == before[~held]).all()
    labels = np.array([0, *(frame.labels[c] for c in swapped.objects.class_name)])
    assert (after[held] == labels[owner[held]]).all()


def test_a_frame_without_what_a_control_needs_stays(frames):
    empty = lidar_frame()
    empty.sensors["top"].channels["range"] = np.zeros_like(empty.sensors["top"].channels["range"])
    for control in CONTROLS.values():
        changed = control.apply(empty, control.strengths[-1], generator())
        assert not np.asarray(changed.sensors["top"].channels["range"]).any()
