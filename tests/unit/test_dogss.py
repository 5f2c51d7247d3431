"""dogss_score: its parts, its scale, nearest reference crops and the bootstrap."""

import numpy as np
import pytest
from tailgate.errors import UserError
from tailgate.validate.dogss import DISTANCES, dogss_score, nearest_reference, nearest_reference_twin, x_max_of_null


def test_the_smallest_part_decides_on_its_own_scale():
    found = dogss_score({"chamfer": 0.1, "emd": 0.2}, {"chamfer": 0.2, "emd": 1.0})
    assert found.score == pytest.approx(0.5) and found.decided_by == "chamfer" and found.parts["emd"] == pytest.approx(0.8)
    assert dogss_score({"chamfer": 9.0, "emd": 0.0}, {"chamfer": 0.2, "emd": 1.0}).score == 0.0
    with pytest.raises(UserError, match="x_max of emd"):
        dogss_score({"chamfer": 0.0, "emd": 0.0}, {"chamfer": 1.0, "emd": 0.0})


def test_95_percent_of_real_reach_the_pass_mark():
    null = np.random.default_rng(0).gamma(4.0, 0.1, size=1000)
    scale = dict.fromkeys(DISTANCES, x_max_of_null(null))
    reached = [dogss_score(dict.fromkeys(DISTANCES, float(x)), scale).score >= 0.75 for x in null]
    assert np.mean(reached) == pytest.approx(0.95, abs=0.002)


@pytest.mark.parametrize("masked", [False, True])
def test_nearest_reference_is_exact(masked):
    rng = np.random.default_rng(1)
    crops, reference = rng.normal(size=(5, 40, 3)), rng.normal(size=(9, 40, 3)) * rng.uniform(0.5, 2.0, size=(9, 1, 1))
    allowed = rng.random((5, 9)) < 0.5 if masked else None
    if masked:
        allowed[3] = False
    ours, twin = nearest_reference(crops, reference, allowed), nearest_reference_twin(crops, reference, allowed)
    bound = nearest_reference(crops, reference, allowed, exact=False)
    for name in DISTANCES:
        assert ours[name] == pytest.approx(twin[name], rel=1e-5, nan_ok=True)
    assert np.isnan(ours["emd"][3]) == masked
    seen = ~np.isnan(ours["emd"])
    assert (bound["emd"][seen] <= ours["emd"][seen] + 1e-6).all()
