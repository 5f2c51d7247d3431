"""The manifests of Kit and pip agree, and hold what Kit's own extensions hold."""

import runpy
import tomllib
from unittest.mock import patch

import pytest
from checkout import ROOT
from tailgate.config import rig

MANIFEST = runpy.run_path(str(ROOT / "scripts" / "manifest"))
PARTS = MANIFEST["parts"]()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PACKAGE_KEYS = {"version", "title", "category", "description", "keywords", "authors", "repository", "changelog", "readme", "preview_image", "icon"}
PACKAGE_KEYS |= {"toggleable", "writeTarget"}
SECTIONS = {"core", "package", "dependencies", "python", "settings", "documentation", "deprecation", "fswatcher", "native", "test"}
"""Keys and sections that the extensions of Isaac Sim 6.0 use."""


def test_the_manifest_of_the_checkout_is_that_of_its_parts():
    assert (ROOT / "extension.toml").read_text() == MANIFEST["manifest"](PARTS, PROJECT), "run scripts/manifest"


def test_the_checkout_needs_what_its_parts_need_from_outside():
    parts = {
        "exts/a.core": {"dependencies": {"omni.usd": {}, "omni.kit.ui": {"optional": True}}},
        "exts/a.ui": {"dependencies": {"a.core": {}, "omni.usd": {"optional": True}, "omni.kit.ui": {"optional": True}}},
    }
    assert MANIFEST["dependencies"](parts) == {"omni.kit.ui": {"optional": True}, "omni.usd": {}}


def test_versions_and_modules_agree():
    import tailgate

    root = tomllib.loads((ROOT / "extension.toml").read_text())
    assert {m["package"]["version"] for m in [root, *PARTS.values()]} == {PROJECT["version"], tailgate.__version__}
    for module in root["python"]["module"]:
        assert (ROOT / module["path"] / module["name"] / "__init__.py").is_file()
    packages = {f"{m['path']}/{m['name']}" for m in root["python"]["module"]}
    shipped = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]
    paths, wheel = {m["path"] for m in root["python"]["module"]}, shipped["targets"]["wheel"]
    assert {*packages, "configs"} == set(wheel["only-include"])
    assert wheel["sources"] == {**dict.fromkeys(paths, ""), "configs": "tailgate/configs"} and paths == set(shipped["dev-mode-dirs"])


def test_an_installed_package_finds_the_configs_that_the_wheel_puts_into_it(tmp_path):
    (tmp_path / "tailgate/configs/sensors").mkdir(parents=True)
    (tmp_path / "tailgate/config").mkdir()
    (tmp_path / "tailgate/config/rig.py").touch()
    with patch.object(rig, "__file__", str(tmp_path / "tailgate/config/rig.py")):
        assert rig.configs_root() == tmp_path / "tailgate/configs"


@pytest.mark.parametrize("folder", PARTS)
def test_an_extension_is_laid_out_as_kits_own(folder):
    manifest = PARTS[folder]
    assert set(manifest) <= SECTIONS and set(manifest["package"]) <= PACKAGE_KEYS
    for key, where in (("readme", "docs/Overview.md"), ("changelog", "docs/CHANGELOG.md"), ("icon", "data/icon.png")):
        assert manifest["package"].get(key) == where
        assert (ROOT / folder / where).is_file(), f"{folder} has no {where}"
    assert PROJECT["version"] in (ROOT / folder / "docs/CHANGELOG.md").read_text()
