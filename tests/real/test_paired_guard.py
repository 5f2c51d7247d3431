"""Paired metrics on recordings: two sweeps of one place are taken, two places are refused."""

from itertools import combinations

import numpy as np
import pytest
from tailgate.errors import UserError
from tailgate.validate.voxels import require_paired

PLACES = {
    "os1": ["ouster/OS-1-128_v2.3.0_1024x10_lb_n3_f0.npz", "ouster/OS-1-128_v2.3.0_1024x10_lb_n3_f1.npz"],
    "os0": ["ouster/osf_fw_3.2_10scans_f0.npz", "ouster/osf_fw_3.2_10scans_f1.npz"],
    "av2": ["av2/7fab2350/lidar_315966265259836000.npz", "av2/7fab2350/lidar_315966265360032000.npz"],
}


def sweep(path) -> np.ndarray:
    with np.load(path, allow_pickle=False) as held:
        return held["xyz"][held["range_mm"] > 0] if "range_mm" in held else held["xyz"]


@pytest.mark.parametrize("place", PLACES)
def test_two_sweeps_of_one_place_are_taken(place, data_root):
    require_paired(*(sweep(data_root / name) for name in PLACES[place]))


@pytest.mark.parametrize(("one", "other"), list(combinations(PLACES, 2)))
def test_two_places_are_refused(one, other, data_root):
    with pytest.raises(UserError, match="one place"):
        require_paired(sweep(data_root / PLACES[one][0]), sweep(data_root / PLACES[other][0]))
