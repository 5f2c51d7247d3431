"""What Tailgate asks of Isaac Sim's Python.

TAILGATE_KIT_PYTHON names a Python that holds exactly what a release ships (``scripts/test --matrix`` makes them from ``tests/matrix/kit-*.txt``);
without it the first tests run here, where everything else is refused, and the installation is left out.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from checkout import ROOT
from tailgate.packages import KIT_PACKAGES, PACKAGES

PYTHON = os.environ.get("TAILGATE_KIT_PYTHON")
SOURCES = [str(ROOT / folder) for folder in ("exts/tailgate.core", "exts/tailgate.rtx", "randomizers/tailgate.randomizers")]
HERE = [str(ROOT / "tests"), str(Path(__file__).parent)]
NEEDS_MORE = ("tailgate.cli", "tailgate.runtime.progress")
"""The command line and its progress bars, which nothing in Kit imports."""
VERSIONS = "import importlib.metadata as m, json; print(json.dumps({d.metadata['Name']: d.version for d in m.distributions()}))"
IMPORTS = f"""
import importlib, pkgutil, sys
from clip import OnlyKit
sys.meta_path.insert(0, OnlyKit())
import tailgate, tailgate_randomizers
names = [m.name for p in (tailgate, tailgate_randomizers) for m in pkgutil.walk_packages(p.__path__, p.__name__ + ".", onerror=lambda name: None)]
names = [n for n in names if not n.startswith({NEEDS_MORE!r})]
[importlib.import_module(name) for name in names]
print(len(names))
"""


def run(command, paths, **environment):
    """Run a command with these folders on Python's path."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), **environment}
    return subprocess.run([str(c) for c in command], capture_output=True, text=True, env=environment)


def test_every_module_but_the_command_line_needs_only_numpy_warp_and_pydantic():
    done = run([PYTHON or sys.executable, "-c", IMPORTS], SOURCES + HERE)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 200


def test_a_clip_is_drawn_rendered_measured_judged_and_stored_with_what_kit_ships(tmp_path):
    done = run([PYTHON or sys.executable, Path(__file__).with_name("clip.py"), tmp_path], SOURCES + HERE)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["codes"] == [] and told["judged"] > 0 and told["verdict"] == "accepted"
    assert told["digests"][0] == told["digests"][1]
    assert not list(tmp_path.glob("frames/*/*.png")), "images lie among the arrays where OpenCV is absent"


@pytest.fixture(scope="module")
def isaac(tmp_path_factory):
    """A folder laid out as Isaac Sim's: its own Python, and ``python.sh``, which puts what the release ships on that Python's path."""
    if not PYTHON:
        pytest.skip("TAILGATE_KIT_PYTHON names no Python; scripts/test --matrix makes and names them")
    root = tmp_path_factory.mktemp("isaac-sim")
    subprocess.run([PYTHON, "-m", "venv", root / "kit" / "python"], check=True)
    shipped = subprocess.run([PYTHON, "-c", "import numpy, pathlib; print(pathlib.Path(numpy.__file__).parents[1])"], capture_output=True, text=True)
    script = root / "python.sh"
    script.write_text(
        "#!/bin/bash\n"
        f"export ISAAC_PATH={root} PYTHONPATH={shipped.stdout.strip()}:$PYTHONPATH\n"
        f'exec {root}/kit/python/bin/python3 "$@"\n'
    )
    script.chmod(0o755)
    return script


def versions(python):
    """Name and version of every package that a Python finds."""
    return json.loads(run([python, "-c", VERSIONS], []).stdout)


def test_the_line_in_the_error_adds_what_is_missing_and_changes_nothing(isaac, tmp_path):
    before = versions(isaac)
    lacking = run([isaac, "-m", "tailgate.cli", "doctor"], SOURCES)
    assert lacking.returncode == 2 and "Traceback" not in lacking.stderr
    sentence, line = lacking.stderr.strip().split(": ", 2)[1:]
    assert "typer" in sentence and line == f"{isaac} -m pip install --no-deps -r {KIT_PACKAGES} -e {ROOT}"

    done = subprocess.run(line, shell=True, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    after = versions(isaac)
    assert {name: after[name] for name in before} == before, "what Kit ships may not change"
    assert {"numpy", "pydantic", "warp-lang", "packaging", "usd-core"}.isdisjoint(set(after) - set(before))

    modules = [p.module for p in PACKAGES if p.kit == "added" or (p.kit == "ships" and p.extra != "learn")]
    loaded = run([isaac, "-c", f"from tailgate.packages import need; [need(m) for m in {modules!r}]"], [])
    assert loaded.returncode == 0, loaded.stderr

    budget, out = ROOT / "configs/budgets/quickstart.yaml", tmp_path / "run"
    few = ("limits.rounds=1", "limits.batches_per_round=1", "limits.batch_clips=2", "reference.options.frames=2", "gate.mode=report")
    sets = [f"--set={one}" for one in few]
    made = run([isaac, "-m", "tailgate.cli", "generate", budget, "--out", out, "--engine", "inline", *sets], [])
    assert made.returncode == 3, made.stderr + made.stdout
    assert {"basicwriter", "coco", "kitti", "semantickitti"} <= {p.name for p in (out / "dataset").iterdir()}
    assert (out / "report.html").is_file() and (out / "dataset/manifest.parquet").is_file()
    checks = {c["name"]: c for c in json.loads(run([isaac, "-m", "tailgate.cli", "doctor", "--json"], []).stdout)}
    assert [c for c in checks.values() if not c["ok"] and c["name"] not in ("disk space", "memory")] == []
