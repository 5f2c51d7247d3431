"""`calibrate gate` on real recordings: few real batches of other places are rejected, doubled noise is, and the file is the same run to run."""

import pytest
from tailgate.report.power import FALSE_REJECTS
from tailgate.runtime.gate_fit import GateRequest, fit_gate


@pytest.fixture(scope="module")
def kitti(kitti_root):
    return fit_gate(GateRequest(kitti_root, "kitti"))


@pytest.mark.slow
def test_place_blocks_of_sweeps(kitti):
    own = kitti.batch["lidar"]
    assert own.place == "sector of a recording" and own.places == 36
    largest = own.sizes[-1]
    for control in ("noise", "density"):
        assert largest.power[control][own.controls[control].at].value >= 0.95 and own.reaches(control) is not None
    assert not own.falling(largest)


@pytest.mark.slow
def test_false_rejects_at_most_sizes(kitti):
    rates = [s.false_rejects.value for s in kitti.batch["lidar"].sizes]
    # Each is a mean over 200 splits of the same 36 places: a standard error of about 3 %, shared between the sizes. A batch of a third of the
    # places leaves three disjoint ones, so the rate of the largest size alone says little.
    assert sum(rates) / len(rates) <= FALSE_REJECTS and max(rates) <= 0.15
