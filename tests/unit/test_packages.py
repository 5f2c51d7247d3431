"""The table of packages says what pyproject.toml says, Kit's list leaves Kit alone, and a package that is missing is named with its line."""

import re
import tomllib
from types import SimpleNamespace

import pytest
from checkout import ROOT
from tailgate import packages
from tailgate.errors import UserError
from tailgate.packages import KIT_PACKAGES, PACKAGES, found, missing, need, packages_named


@pytest.fixture
def outside(monkeypatch):
    for name in ("ISAAC_PATH", "ISAACSIM_PATH"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def isaac(monkeypatch, tmp_path):
    """A process of Isaac Sim's Python."""
    monkeypatch.setenv("ISAAC_PATH", str(tmp_path))
    monkeypatch.setattr(packages.sys, "prefix", str(tmp_path / "kit" / "python"))
    return tmp_path


def declared():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    groups = {"": project["dependencies"], **{e: project["optional-dependencies"][e] for e in ("standalone", "learn")}}
    rows = [(extra, re.match(r"([\w.-]+)(?:\[\w+\])?>=([\d.]+)", line)) for extra, lines in groups.items() for line in lines]
    return [(match[1], match[2], extra) for extra, match in rows]


def kit_lines():
    return [line for line in KIT_PACKAGES.read_text().splitlines() if line and not line.startswith("#")]


def test_the_table_is_that_of_pyproject():
    assert [(p.name, p.least, p.extra) for p in PACKAGES] == declared()


def test_kits_list_adds_what_is_needed_and_names_nothing_that_kit_owns():
    names = {re.match(r"[\w.-]+", line)[0].lower() for line in kit_lines()}
    assert {p.name.lower() for p in PACKAGES if p.kit == "added"} <= names
    kits_own = {p.name.lower() for p in PACKAGES if p.kit != "added"} | {"packaging", "typing_extensions", "pydantic_core", "pyyaml"}
    assert names & kits_own == set()


def test_kits_list_asks_for_no_version_that_could_replace_one():
    assert all(re.fullmatch(r'[\w.-]+(<[\d.]+)?(; python_version (<|>=) "3\.12")?', line) for line in kit_lines())


def test_a_module_that_is_there_is_returned():
    import json.decoder

    assert need("json.decoder") is json.decoder and found("json") is json


def test_a_missing_package_is_named_with_the_extra_that_brings_it(monkeypatch, outside):
    monkeypatch.setitem(packages.sys.modules, "pyarrow", None)
    with pytest.raises(UserError, match=r"needs the package pyarrow, which is not installed here: pip install 'tailgate\[standalone\]'"):
        need("pyarrow")
    monkeypatch.setitem(packages.sys.modules, "ruamel.yaml", None)
    with pytest.raises(UserError, match=r"the package ruamel\.yaml, .*: pip install tailgate$"):
        need("ruamel.yaml")
    assert "tailgate[learn]" in str(missing("onnxruntime"))


def test_a_package_that_does_not_fit_is_not_called_missing():
    said = str(missing("pyarrow", ImportError("pyarrow requires NumPy 2.0 or newer")))
    assert "pyarrow requires NumPy 2.0 or newer" in said and "not installed" not in said


def test_in_isaac_sim_the_line_leaves_its_python_alone(isaac):
    line = packages.install_line()
    assert line == f"{isaac}/python.sh -m pip install --no-deps -r {KIT_PACKAGES} -e {ROOT}"
    assert str(missing("ruamel.yaml")).endswith(line)
    assert "constraints" not in line and "tailgate[" not in line


def test_in_isaac_sim_nobody_is_told_to_install_what_kit_ships_or_must_not_hold(isaac):
    assert "never install a second one" in str(missing("pxr")) and "pip install" not in str(missing("pxr"))
    assert "do this outside" in str(missing("blosc2"))


def test_paths_with_spaces_stay_one_word(monkeypatch, tmp_path):
    root = tmp_path / "isaac sim"
    root.mkdir()
    monkeypatch.setenv("ISAAC_PATH", str(root))
    assert packages.install_line().startswith(f"'{root}/python.sh' -m pip")


def test_a_running_kit_is_isaac_sim(monkeypatch, outside):
    assert not packages.in_isaac()
    monkeypatch.setitem(packages.sys.modules, "omni.kit.app", SimpleNamespace())
    assert packages.in_isaac() and packages.install_line().startswith("./python.sh ")


def test_failed_imports_of_ours_become_a_sentence_and_others_stay():
    with pytest.raises(UserError, match="scikit-learn"), packages_named():
        raise ModuleNotFoundError("No module named 'sklearn'", name="sklearn.manifold")
    with pytest.raises(ModuleNotFoundError), packages_named():
        raise ModuleNotFoundError("No module named 'tailgate.typo'", name="tailgate.typo")


def test_what_can_be_done_without_is_none(monkeypatch):
    monkeypatch.setitem(packages.sys.modules, "no_such_package", None)
    assert found("no_such_package") is None


def test_an_unknown_module_is_named_as_it_is(outside):
    assert "the package other," in str(missing("other.part"))
