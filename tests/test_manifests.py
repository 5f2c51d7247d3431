"""The manifests of Kit and pip agree."""

import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def read(path):
    return tomllib.loads((ROOT / path).read_text())


def test_versions_and_modules_agree():
    import tailgate

    root, project = read("extension.toml"), read("pyproject.toml")["project"]
    parts = [p for folder in ("exts", "randomizers") for p in sorted((ROOT / folder).glob("*/config/extension.toml"))]
    assert parts
    manifests = [read(p) for p in parts]
    assert {m["package"]["version"] for m in [root, *manifests]} == {project["version"], tailgate.__version__}
    modules = {m["name"]: p.parents[1].relative_to(ROOT).as_posix() for p, one in zip(parts, manifests, strict=True) for m in one["python"]["module"]}
    assert {m["name"]: m["path"] for m in root["python"]["module"]} == modules
    for name, folder in modules.items():
        assert (ROOT / folder / name / "__init__.py").is_file()
