"""Figures of crop sets: like sets beside their null, a set that repeats itself, a set of other shapes."""

from dataclasses import replace

import numpy as np
from tailgate.validate.backbones import open_backbone
from tailgate.validate.class_sets import UNITS, set_rows
from tailgate.validate.crops import RESAMPLED, Crop
from tailgate.validate.stratum import Material, shortage

BASE = {"class_name": "car", "modality": "lidar", "stratum": "0-15 m", "n": 0}


def crop(seed: int, scale: float = 1.0) -> Crop:
    """A box shell whose size differs a little from the next one's."""
    rng = np.random.default_rng(seed)
    size = np.array([4.0, 2.0, 1.5]) * scale * rng.normal(1, 0.04, 3)
    points = (rng.random((RESAMPLED, 3)) - 0.5) * size
    points[np.arange(RESAMPLED), rng.integers(0, 3, RESAMPLED)] *= 0.0
    points = points.astype(np.float32)
    return Crop("car", seed, f"g{seed // 2}", f"f{seed}", "lidar", "box", 10.0, tuple(size), RESAMPLED, points, None, points)


def rows(real, synthetic):
    return {r.metric: r for r in set_rows(real, synthetic, open_backbone("geometric"), BASE)}


def test_like_sets_lie_in_their_null_and_others_beyond():
    real, like, other = ([crop(100 * k + i, scale) for i in range(20)] for k, scale in ((0, 1.0), (1, 1.0), (2, 1.4)))
    found, far = rows(real, like), rows(real, other)
    assert list(found) == list(UNITS) and all(not r.gates and r.verdict == "no power" for r in found.values())
    assert found["one_nna"].value < 0.75 and far["one_nna"].value > 0.95
    assert found["mmd_cd"].value < 1.5 * found["mmd_cd"].null.q95 < far["mmd_cd"].value
    assert far["coverage"].value < found["coverage"].value


def test_repetition_covers_little():
    real = [crop(i) for i in range(20)]
    same = [replace(real[0], frame=f"s{i}") for i in range(20)]
    assert rows(real, same)["coverage"].value == 1 / 20


def test_small_sides_say_nothing():
    real = [crop(i) for i in range(20)]
    assert rows(real, real[:7]) == {}


def test_too_little_to_judge_by_is_counted_in_words():
    assert shortage(Material([crop(0)])) == "the reference holds 1 crop of 1 group; 20 crops of 4 groups are needed"
    assert shortage(Material([crop(i) for i in range(3)])) == "the reference holds 3 crops of 2 groups; 20 crops of 4 groups are needed"
