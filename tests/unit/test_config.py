import textwrap

import pytest
from tailgate.config.budget import Budget, Reference
from tailgate.config.camera import CameraModel
from tailgate.config.load import dump, inside, load, validate
from tailgate.config.scenario import Scenario
from tailgate.config.sensor import Rig
from tailgate.errors import UserError

GOOD = """\
name: demo
seed: 3
cells:
  - {class: cone, target: 5}
  - class: wheelchair_user
    range: [5, 20]
    target: 7
scenarios:
  - file: street
rig: quickstart_street
"""


def budget(tmp_path, text=GOOD):
    path = tmp_path / "b.yaml"
    path.write_text(textwrap.dedent(text))
    return load(Budget, path)


def test_round_trip(tmp_path):
    first = budget(tmp_path)
    again = budget(tmp_path, dump(first))
    assert again == first


@pytest.mark.parametrize(
    "edit, line, words",
    [
        (("seed: 3", "sede: 3"), 2, "unknown key 'sede' (did you mean 'seed'?)"),
        (("target: 5", "target: -5"), 4, "cells[0].target: target must be greater than or equal to 0, got -5"),
        (("target: 5", "target: 1e99"), 4, "target must be"),
        (("target: 7", "target: .nan"), 7, "got nan"),
        (("target: 7", "target: many"), 7, "got 'many'"),
        (("target: 7", "traget: 7"), 7, "unknown key 'traget' (did you mean 'target'?)"),
        (("range: [5, 20]", "range: [20, 5]"), 6, "range must be [low, high]"),
        (("seed: 3", "seed: 3\nseed: 4"), 3, "is not valid YAML"),
        (("name: demo", "name: [demo"), None, "is not valid YAML"),
        (("rig: quickstart_street", ""), 1, "'rig' is required"),
        (("rig: quickstart_street", "rig: x\ngate: {mode: enforced}"), 11, "got 'enforced' (did you mean 'enforce'?)"),
        (("rig: quickstart_street", "rig: x\nlimits: {clips: 2, batch_clips: 8}"), 11, "clips must be at least batch_clips"),
        (("range: [5, 20]", ""), None, ""),
    ],
)
def test_complaints_name_the_place(tmp_path, edit, line, words):
    text = GOOD.replace(*edit)
    assert text != GOOD
    if not words:
        budget(tmp_path, text)
        return
    with pytest.raises(UserError) as caught:
        budget(tmp_path, text)
    assert words in str(caught.value)
    assert "b.yaml" in str(caught.value)
    if line:
        assert f"b.yaml:{line}" in str(caught.value)


CAMERA = """\
type: camera
width: 64
height: 48
fx: 60
fy: 60
cx: 31.5
cy: 23.5
"""


@pytest.mark.parametrize(
    "more, place",
    [
        ("far: 2\nnear: 5", "cam.yaml:9: near: near must be below far"),
        ("far: 0.01", "cam.yaml:8: far: near must be below far"),
        ("rate_hz: 20\nshutter:\n  readout_ms: 1\n  exposure_ms: 200", "cam.yaml:11: shutter.exposure_ms: shutter.exposure_ms must be within"),
        ("depth: kinect_v1\nlens: {model: brown_conrady, coefficients: [0, 0, 0, 0]}", "cam.yaml:9: lens: lens must be left out"),
        ("lens:\n  model: brown_conrady\n  coefficients: [0, 0, 0]", "cam.yaml:10: lens.coefficients: coefficients of brown_conrady"),
    ],
)
def test_complaints_about_several_keys_name_one(tmp_path, more, place):
    (tmp_path / "cam.yaml").write_text(CAMERA + more)
    with pytest.raises(UserError) as caught:
        load(CameraModel, tmp_path / "cam.yaml")
    assert place in str(caught.value)


def test_a_reference_may_be_its_kind_alone(tmp_path):
    assert budget(tmp_path, GOOD + "reference: none\n").reference == Reference(kind="none")
    with pytest.raises(UserError, match=r"b.yaml:11: reference: reference must be one of .* got 'nun' .did you mean 'none'"):
        budget(tmp_path, GOOD + "reference: nun\n")


def test_missing_and_binary_files(tmp_path):
    (tmp_path / "budget.yaml").write_text(GOOD)
    with pytest.raises(UserError, match="file not found .did you mean 'budget.yaml'"):
        load(Budget, tmp_path / "bugdet.yaml")
    (tmp_path / "x.yaml").write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(UserError, match="UTF-8"):
        load(Budget, tmp_path / "x.yaml")
    (tmp_path / "list.yaml").write_text("- 1\n- 2\n")
    with pytest.raises(UserError, match="mapping"):
        load(Budget, tmp_path / "list.yaml")
    with pytest.raises(UserError, match="folder"):
        load(Budget, tmp_path)


def test_overrides(tmp_path):
    path = tmp_path / "b.yaml"
    path.write_text(GOOD)
    assert load(Budget, path, ["cells[1].target=9", "limits.rounds=2"]).cells[1].target == 9
    for bad in ("cells[9].target=1", "cells", "cells[0].targt=2"):
        with pytest.raises(UserError):
            load(Budget, path, [bad])


def test_paths_may_not_leave_their_root(tmp_path):
    assert inside(tmp_path, "a/b") == (tmp_path / "a/b").resolve()
    for bad in ("../x", "/etc/passwd", "a/../../x"):
        with pytest.raises(UserError, match="must stay inside"):
            inside(tmp_path, bad)


def test_same_cell_twice_is_refused(tmp_path):
    with pytest.raises(UserError, match="'cone' twice"):
        budget(tmp_path, GOOD.replace("range: [5, 20]\n    target: 7", "target: 7").replace("wheelchair_user", "cone"))


@pytest.mark.parametrize("name", ["../../../evil", "a/b", "..", ".hidden", "", "front cam", "a\\b", "a\n", "c" * 101])
def test_a_name_that_makes_no_file_is_refused(tmp_path, name):
    with pytest.raises(UserError, match="name must be up to 100 letters, digits, '_', '.' or '-' and start with a letter or digit, got"):
        validate(Rig, {"sensors": {name: {"model": "vlp16", "mount": {"xyz": [0, 0, 1]}}}})
    with pytest.raises(UserError, match="name must (match pattern|have at (most|least))"):
        validate(Scenario, {"name": name, "base": "street", "randomizers": [{"use": "camera.rig_pose"}]})
