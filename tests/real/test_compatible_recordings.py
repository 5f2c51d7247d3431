"""Recordings pass the check of what can be compared against themselves and their own other half, and foreign ones do not."""

import pytest
from tailgate.errors import UserError
from tailgate.reference.compatible import Side, check_compatible
from tailgate.reference.detect import detect
from tailgate.reference.open import open_reader

SETS = {"kitti": "kitti", "av2": "av2", "rgbd_mosd": "mosd", "rgbd_7scenes": "mosd", "nuscenes": "nuscenes"}


@pytest.fixture(scope="module")
def sides(data_root):
    found = {}
    for folder in SETS:
        kind, root = detect(data_root / folder)
        found[folder] = Side.of(root, *open_reader(kind, root))
    return found


@pytest.mark.parametrize("folder", SETS)
def test_the_kind_is_found(data_root, folder):
    assert detect(data_root / folder) == (SETS[folder], data_root / folder)


@pytest.mark.parametrize("folder", SETS)
def test_a_set_can_be_compared_with_itself(sides, folder):
    assert check_compatible(sides[folder], sides[folder]) == []


@pytest.mark.parametrize("folder", [f for f in SETS if f != "nuscenes"])
def test_halves_can_be_compared(sides, folder):
    """Classes that only one half shows give notes, never a refusal."""
    side = sides[folder]
    names = list(side.frames)
    halves = [Side(side.root, {n: side.frames[n] for n in part}) for part in (names[: len(names) // 2], names[len(names) // 2 :])]
    for real, synthetic in (halves, halves[::-1]):
        assert all(note.startswith("Class") for note in check_compatible(real, synthetic))


@pytest.mark.parametrize(
    ("real", "synthetic", "words"),
    [
        ("kitti", "av2", "32 beams against 64"),
        ("nuscenes", "av2", "up is -z in the frame of LiDAR 'down_lidar'"),
        ("rgbd_mosd", "rgbd_7scenes", "focal length 585.0 px against 525.0 px"),
        ("av2", "rgbd_mosd", r"kind of sensor \(lidar\), got rgbd"),
    ],
)
def test_other_sensors_are_refused(sides, real, synthetic, words):
    with pytest.raises(UserError, match=words):
        check_compatible(sides[real], sides[synthetic])
