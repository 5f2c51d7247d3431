"""Frames, clips and sets that are not sound are found, and sound ones are left alone."""

from dataclasses import replace

import numpy as np
import pytest
from frames_fixture import make_frame
from tailgate.frames import Objects
from tailgate.validate.crops import Crop
from tailgate.validate.duplicates import NEAR, near_counts, signature
from tailgate.validate.evidence import Evidence, measure
from tailgate.validate.integrity import clip_integrity, integrity, set_rows


def _broken(sensor: str, channel: str = "", value=None, **view):
    """The fixture's frame with one channel changed by ``value(array)``, or arrays of the sensor's view."""
    frame = make_frame(1)
    held = frame.sensors[sensor]
    channels = {**held.channels, channel: value(held.channels[channel].copy())} if channel else held.channels
    changed = replace(held, channels=channels, view=replace(held.view, **view))
    return replace(frame, sensors={**frame.sensors, sensor: changed})


def _set(array: np.ndarray, where, value) -> np.ndarray:
    array[where(array) if callable(where) else where] = value
    return array


def _boxes(row: int, column: int, step: float) -> np.ndarray:
    box = make_frame(1).sensors["camera"].view.bbox_tight.copy()
    box[row, column] += step
    return box


def test_sound_frames_pass():
    assert integrity(make_frame(2, cameras=2, lidars=2)) == []
    bare = make_frame(0)
    for name in ("instance_segmentation", "semantic_segmentation", "rgb"):
        del bare.sensors["camera"].channels[name]
    assert integrity(bare) == []
    assert integrity(_broken("camera", bbox_tight=_boxes(0, 0, -1.0))) == [], "formats differ on whether the last pixel belongs to a box"


FAILURES = [
    ("empty_image", lambda: _broken("camera", "rgb", np.zeros_like)),
    ("empty_scan", lambda: _broken("lidar", "range", np.zeros_like)),
    ("not_a_number", lambda: _broken("lidar", "range", lambda a: _set(a, (3, 4, 0), np.nan))),
    ("not_a_number", lambda: _broken("lidar", "range", lambda a: _set(a, (3, 4, 0), np.inf))),
    ("not_a_number", lambda: _broken("camera", "distance_to_image_plane", lambda a: _set(a, (3, 4), np.nan))),
    ("box_outside_image", lambda: _broken("camera", bbox_tight=_boxes(2, 2, 3.0))),
    ("box_outside_image", lambda: _broken("camera", bbox_tight=_boxes(0, 0, 100.0))),
    ("mask_box_mismatch", lambda: _broken("camera", bbox_tight=_boxes(0, 0, 3.0))),
    ("mask_box_mismatch", lambda: _broken("camera", visible=make_frame(1).sensors["camera"].view.visible + 1)),
    ("mask_box_mismatch", lambda: _broken("camera", "instance_segmentation", lambda a: _set(a, a == 1, 0))),
    ("unknown_instance", lambda: _broken("camera", "instance_segmentation", lambda a: _set(a, (0, 0), 99))),
    ("unknown_instance", lambda: _broken("lidar", "instance", lambda a: _set(a, a == 3, 2_000_000_000))),
    ("label_mismatch", lambda: _broken("camera", "semantic_segmentation", lambda a: _set(a, tuple(np.argwhere(a == 2)[0]), 3))),
    ("label_mismatch", lambda: _broken("lidar", "semantic", lambda a: _set(a, a == 2, 1))),
]


@pytest.mark.parametrize(("code", "make"), FAILURES, ids=[f"{i}-{code}" for i, (code, _) in enumerate(FAILURES)])
def test_broken_frames_say_what_is_broken(code, make):
    assert code in integrity(make())


def test_depth_without_any_measurement_is_empty():
    frame = make_frame(0)
    frame.sensors["camera"].channels["valid"] = np.zeros((90, 120), np.uint8)
    assert integrity(frame) == ["empty_depth"]


def test_ids_are_unique_in_a_frame_and_stable_in_a_clip():
    frame = make_frame(0)
    o = frame.objects
    twice = replace(frame, objects=Objects(np.array([3, 3, 7, 12]), o.class_name, o.T_world_box, o.size, o.asset))
    assert "duplicate_instance" in integrity(twice)
    renamed = replace(frame, objects=Objects(o.instance, ["Car", "Car", *o.class_name[2:]], o.T_world_box, o.size, o.asset))
    swapped = replace(frame, objects=Objects(o.instance, o.class_name, o.T_world_box, o.size, ["a", "b", "c", "other"]))
    assert clip_integrity([frame, make_frame(1)]) == []
    assert clip_integrity([frame, renamed]) == clip_integrity([frame, swapped]) == ["unstable_instance"]
    assert clip_integrity([frame, replace(frame, objects=Objects(o.instance[:2], o.class_name[:2], o.T_world_box, o.size, o.asset[:2]))]) == []


def test_signatures_tell_scenes_and_ignore_noise_and_exposure(tmp_path):
    ramp = np.linspace(40, 200, 120)[None, :, None].repeat(90, 0).repeat(4, 2)
    scene = _broken("camera", "rgb", lambda a: ramp.astype(np.uint8))
    noise = np.random.default_rng(0).normal(0, 4, ramp.shape)
    again = _broken("camera", "rgb", lambda a: (0.7 * ramp + noise).astype(np.uint8))
    other = _broken("camera", "rgb", lambda a: ramp[:, ::-1].astype(np.uint8))
    a, b, c = (signature(f) for f in (scene, again, other))
    assert a.shape == (2, 32) and a.dtype == np.uint8
    assert np.unpackbits(a[0]).all() and not np.unpackbits(c[0]).any()
    assert np.unpackbits(a ^ b).sum() <= NEAR < np.unpackbits(a ^ c).sum()
    evidence = measure(scene, "one", "clip")
    evidence.save(tmp_path / "one.npz")
    assert np.array_equal(Evidence.load(tmp_path / "one.npz").signature, a)
    assert evidence.codes == []


def test_near_needs_every_sensor_and_another_group():
    base = np.random.default_rng(0).integers(0, 256, (2, 32), dtype=np.uint8)
    close, half = base.copy(), base.copy()
    close[:, 0] ^= 0b111
    half[1] = ~half[1]
    assert near_counts([base, close, half, base[:1]], list("abcd")).tolist() == [1, 1, 0, 0]
    assert near_counts([base, close], ["a", "a"]).tolist() == [0, 0]
    farther = close.copy()
    farther[0, 1] ^= 1
    assert near_counts([base, farther], ["a", "b"]).tolist() == [0, 0] and NEAR == 3
    assert near_counts([np.zeros((0, 32), np.uint8)] * 2, ["a", "b"]).tolist() == [0, 0], "without a picture nothing is said"


def _crop(name: str) -> Crop:
    points = np.zeros((1, 3), np.float32)
    return Crop(name, 1, "g", "f", "lidar", "box", 5.0, (1.0, 1.0, 1.0), 1, points, None, points)


def _made_up(seed: int, n: int = 60, repeats: int = 0) -> tuple[dict[str, Evidence], list[dict[str, str]]]:
    """Frames that show a car often and a person sometimes, in any light; the last ``repeats`` look like the first ones."""
    draw = np.random.default_rng(seed)
    looks = draw.integers(0, 256, (n, 1, 32), dtype=np.uint8)
    looks[n - repeats :] = looks[:repeats]
    evidence = {
        f"f{i}": Evidence(crops=[_crop(c) for c, share in (("car", 0.7), ("person", 0.3)) if draw.random() < share], signature=looks[i])
        for i in range(n)
    }
    lights, weathers = draw.choice(["day", "dusk", "night"], n), draw.choice(["clear", "rain"], n)
    return evidence, [{"light": str(a), "weather": str(b)} for a, b in zip(lights, weathers, strict=True)]


def _failed(rows) -> list[tuple[str, str, str]]:
    return [(r.metric, r.class_name, r.stratum) for r in rows if r.verdict == "failed"]


def test_sound_sets_raise_at_most_one_false_alarm_in_twenty():
    assert sum(bool(_failed(set_rows(*_made_up(seed)))) for seed in range(100)) <= 5


def test_a_set_that_repeats_itself_fails_unless_reality_does():
    evidence, attributes = _made_up(0, repeats=6)
    row = set_rows(evidence, attributes)[0]
    assert (row.metric, row.verdict, row.value, row.n) == ("near_duplicates", "failed", 0.2, 60)
    assert set_rows(evidence, attributes, groups=[f"clip{i % 54}" for i in range(60)])[0].value == 0.0, "ticks of one clip are no repeats"
    varied, same = _made_up(1)[0], _made_up(2, repeats=30)[0]
    assert set_rows(evidence, attributes, real=varied)[0].verdict == "failed"
    standing = set_rows(evidence, attributes, real=same)[0]
    assert standing.verdict == "ok" and standing.limit > 0.5 and standing.null is not None
    assert set_rows({"f0": evidence["f0"]}, attributes[:1])[0].verdict == "unjudged"


def test_a_giveaway_is_found_unless_the_budget_asked_for_it():
    evidence, attributes = _made_up(3)
    for one, conditions in zip(evidence.values(), attributes, strict=True):
        if conditions["light"] == "night":
            one.crops.append(_crop("wheelchair"))
    rows = set_rows(evidence, attributes)
    assert ("class_attribute_association", "wheelchair", "light") in _failed(rows) and len(_failed(rows)) == 1
    assert [r for r in rows if r.class_name == "wheelchair" and r.stratum == "light"][0].value == pytest.approx(1.0)
    assert _failed(set_rows(evidence, attributes, pinned={("wheelchair", "light")})) == []


def test_clips_count_once():
    evidence, attributes = _made_up(4, n=6)
    many = {f"{name}-t{t}": e for name, e in evidence.items() for t in range(20)}
    repeated, clips = [a for a in attributes for _ in range(20)], [name for name in evidence for _ in range(20)]
    one = [(r.metric, r.value, r.limit, r.n) for r in set_rows(evidence, attributes)[1:]]
    assert one and one == [(r.metric, r.value, r.limit, r.n) for r in set_rows(many, repeated, groups=clips)[1:]]
    assert not any(r.verdict == "failed" for r in set_rows(many, repeated, groups=clips))


def test_conditions_that_some_frames_lack_are_left_out():
    evidence, attributes = _made_up(5)
    assert {r.stratum for r in set_rows(evidence, [{"light": a["light"]} for a in attributes[:30]] + attributes[30:])[1:]} == {"light"}
