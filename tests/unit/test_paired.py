"""The paired protocol: a twin of the same place, cloud by cloud, and its refusals."""

import pytest
import tailgate.cli  # noqa: F401 (registers the commands)
from rich.console import Console
from scan_folder import Scans
from tailgate.cli.app import app
from tailgate.errors import UserError
from tailgate.runtime.paired import compare_pairs
from tailgate.runtime.score import ScoreRequest
from typer.testing import CliRunner


@pytest.fixture(scope="module")
def rooms(tmp_path_factory):
    folder = tmp_path_factory.mktemp("paired")
    return {
        "real": Scans(range(2)).write(folder / "real"),
        "twin": Scans(range(2), noise=0.03).write(folder / "twin"),
        "others": Scans(range(7, 9)).write(folder / "others"),
    }


def test_a_twin_is_measured_frame_by_frame(rooms):
    same = compare_pairs(ScoreRequest(rooms["real"], rooms["real"]))
    twin = compare_pairs(ScoreRequest(rooms["twin"], rooms["real"]))
    assert [p.frame for p in twin.pairs] == [p.frame for p in same.pairs] and len(twin.pairs) == 2
    for a, b in zip(same.pairs, twin.pairs, strict=True):
        assert a.values["chamfer"] == 0 and a.values["voxel_iou"] == 1 and a.values["m3c2_median_abs"] == 0
        assert 0.005 < b.values["chamfer"] < 0.1 and b.values["voxel_iou"] < 1
        assert 0.0198 <= a.values["cloudmetrics_gap"] < b.values["cloudmetrics_gap"]
    console = Console(record=True, width=120)
    twin.print(console)
    assert "nothing decided" in console.export_text() and twin.to_json()["protocol"] == "paired"


def test_frames_need_a_counterpart(rooms):
    with pytest.raises(UserError, match="frame 'room07' must have a real one of the same name to be paired"):
        compare_pairs(ScoreRequest(rooms["others"], rooms["real"]))


@pytest.mark.parametrize(
    "option, words", [(("-o", "x.html"), "--out"), (("--gate", "g.yaml", "-v"), "--gate and --verbose"), (("--support", "a=b"), "--support")]
)
def test_what_pairs_have_no_use_for_is_refused(rooms, option, words):
    done = CliRunner().invoke(app, ["score", str(rooms["twin"]), "--reference", str(rooms["real"]), "--paired", *option])
    assert isinstance(done.exception, UserError) and str(done.exception).endswith(f"it must come without {words}")
