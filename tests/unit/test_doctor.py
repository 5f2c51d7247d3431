"""The doctor sees what is there, says what is missing, and never stops half way."""

import io
import json
import os
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from rich.console import Console
from tailgate import doctor, packages
from tailgate.doctor import Check, gpu, isaac, machine, nodes, software
from tailgate.doctor.check import numbers
from tailgate.errors import UserError
from tailgate.packages import PACKAGES, Package

L40 = gpu.Gpu("NVIDIA L40", 48.3, (8, 9), "580.95.05")
H200 = gpu.Gpu("NVIDIA H200", 150.8, (9, 0), "580.95.05")
SMALL = gpu.Gpu("NVIDIA RTX A2000", 6.4, (8, 6), "535.1")
RELEASE = isaac.Release("5.1.0", "107.3.3", "at /isaac-sim")


@pytest.fixture(autouse=True)
def no_isaac(monkeypatch):
    for name in ("ISAAC_PATH", "ISAACSIM_PATH"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def checks(tmp_path_factory):
    return doctor.diagnose(tmp_path_factory.mktemp("out"))


@pytest.fixture
def program(monkeypatch, tmp_path):
    """Puts a shell script on the path under a name."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")

    def put(name, text):
        (folder / name).write_text("#!/bin/sh\n" + text)
        (folder / name).chmod(0o755)

    return put


def test_every_topic_is_looked_at(checks):
    names = [c.name for c in checks]
    topics = ["tailgate", "Python", "numpy", "pydantic", "warp-lang", "Warp devices", "Warp kernel on cpu", "usd-core", "POT", "pyarrow"]
    topics += ["disk space", "write rate", "memory", "cores", "operating system", "NVIDIA GPU", "Isaac Sim"]
    assert [n for n in topics if n not in names] == []
    assert len(set(names)) == len(names)


def test_this_machine_can_run_the_tests(checks):
    assert [c for c in checks if not c.ok and c.name not in ("disk space", "memory")] == []


def test_json_round_trip(checks):
    plain = json.loads(json.dumps([c.to_json() for c in checks]))
    assert [Check(**row) for row in plain] == checks


def test_missing_folder_is_checked_at_its_nearest_parent_and_left_unmade(tmp_path):
    target = tmp_path / "not" / "yet"
    assert machine.check_disk(tmp_path).ok
    assert {c.name: c for c in doctor.diagnose(target)}["write rate"].ok
    assert list(tmp_path.iterdir()) == []


def test_old_missing_and_broken_packages_are_named_with_a_fix(monkeypatch):
    old = software.check_package(Package("numpy", "numpy", "99.0"))
    assert not old.ok and "99.0" in old.fix and "pip install" in old.fix
    missing = software.check_package(Package("no-such-package-here", "no_such_package", "1.0"))
    assert not missing.ok and missing.found == "not installed" and "tailgate[standalone]" in missing.fix
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    broken = software.check_package(next(p for p in PACKAGES if p.name == "pyarrow"))
    assert not broken.ok and "cannot be loaded" in broken.fix


def test_isaac_sim_lacks_what_it_needs_not_for_a_clip_and_says_how_to_add_it(monkeypatch):
    monkeypatch.setitem(packages.sys.modules, "omni.kit.app", SimpleNamespace())
    added = software.check_package(Package("no-such-package-here", "no_such_package", "1.0"))
    assert added.ok and added.fix.startswith("./python.sh -m pip install --no-deps")
    out = software.check_package(Package("no-such-package-here", "no_such_package", "1.0", "out"))
    assert out.ok and not out.fix
    assert not software.check_package(Package("no-such-package-here", "no_such_package", "1.0", "ships", "")).ok
    old = software.check_package(Package("numpy", "numpy", "99.0", "ships", ""))
    assert old.ok and "pip install" not in old.fix


@pytest.mark.parametrize(
    ("text", "expected"),
    [("1.8.1", (1, 8, 1)), ("1.13.0rc2", (1, 13, 0)), ("24.11", (24, 11)), ("2.0.dev3", (2, 0)), ("580.65.06", (580, 65, 6)), ("x", ())],
)
def test_version_numbers(text, expected):
    assert numbers(text) == expected


def test_full_disk_is_said(monkeypatch, tmp_path):
    monkeypatch.setattr(machine.shutil, "disk_usage", lambda folder: SimpleNamespace(free=1e9))
    check = machine.check_disk(tmp_path)
    assert not check.ok and check.found == "1.0 GB free" and "--out" in check.fix


def test_little_memory_counts_for_isaac_sim_only(monkeypatch):
    monkeypatch.setattr(machine, "_memory_gb", lambda: 16.0)
    assert machine.check_memory().fix == ""
    asked = machine.check_memory(RELEASE)
    assert asked.ok and "32 GB" in asked.fix
    monkeypatch.setattr(machine, "_memory_gb", lambda: 2.0)
    assert not machine.check_memory().ok


@pytest.mark.parametrize(
    ("system", "libc", "supported"),
    [
        (("ubuntu", "22.04", "Ubuntu 22.04.5 LTS"), "2.35", True),
        (("ubuntu", "20.04", "Ubuntu 20.04"), "2.31", False),
        (("debian", "12", "Debian"), "2.36", False),
    ],
)
def test_operating_system(monkeypatch, system, libc, supported):
    monkeypatch.setattr(machine, "_system", lambda: system)
    monkeypatch.setattr(machine.platform, "libc_ver", lambda: ("glibc", libc))
    assert machine.check_system().fix == ""
    check = machine.check_system(RELEASE)
    assert check.ok and (check.fix == "") == supported and check.found == f"{system[2]}, glibc {libc}"


def test_driver_that_does_not_answer(program):
    program("nvidia-smi", "exit 9\n")
    (silent,) = gpu.check_gpus()
    assert silent.ok and "does not answer" in silent.found and silent.fix


def test_a_node_without_rt_cores_is_told_to_use_warp(program):
    program("nvidia-smi", 'case "$1" in --query*) echo "NVIDIA H200, 143771, 9.0, 570.124.06";; *) echo "| CUDA Version: 12.8 |";; esac\n')
    checks = {c.name: c for c in gpu.check_gpus()}
    assert checks["NVIDIA GPU"].found == "NVIDIA H200" and checks["NVIDIA driver"].found == "570.124.06, CUDA 12.8"
    assert checks["GPU memory"].found == "151 GB" and not checks["GPU memory"].fix
    assert checks["RT cores"].found == "none" and "--backend warp" in checks["RT cores"].fix
    assert all(c.ok for c in checks.values()), "the embedded renderer needs no RT cores"
    beside_isaac = {c.name: c.ok for c in gpu.check_gpus(RELEASE)}
    assert beside_isaac == {"NVIDIA GPU": True, "NVIDIA driver": False, "GPU memory": True, "RT cores": False}


@pytest.mark.parametrize(
    ("name", "capability", "has"),
    [
        ("NVIDIA L40S", (8, 9), True),
        ("NVIDIA A10G", (8, 6), True),
        ("Tesla T4", (7, 5), True),
        ("NVIDIA RTX PRO 6000 Blackwell Server Edition", (12, 0), True),
        ("NVIDIA GeForce GTX 1660 Ti", (7, 5), False),
        ("NVIDIA T1000 8GB", (7, 5), False),
        ("NVIDIA A100-SXM4-80GB", (8, 0), False),
        ("NVIDIA H100 80GB HBM3", (9, 0), False),
        ("NVIDIA B200", (10, 0), False),
        ("Tesla V100-SXM2-16GB", (7, 0), False),
    ],
)
def test_rt_cores(name, capability, has):
    assert gpu.Gpu(name, 24.0, capability, "580").rt_cores == has


def test_one_good_gpu_of_several_is_enough():
    checks = {c.name: c for c in gpu._judge([L40, H200, SMALL], "13.0", RELEASE)}
    assert all(c.ok for c in checks.values())
    assert checks["RT cores"].found == "in 2 of 3 GPUs" and "H200" in checks["RT cores"].fix and "16 GB" in checks["GPU memory"].fix
    alone = {c.name: c for c in gpu._judge([SMALL], "", RELEASE)}
    assert not alone["GPU memory"].ok and not alone["NVIDIA driver"].ok and alone["RT cores"].ok


def test_release_is_read_from_its_folder(monkeypatch, tmp_path):
    assert isaac.release_here() is None and isaac.check_isaac(None)[0].ok
    (tmp_path / "VERSION").write_text("5.1.0-rc.19+release.26219.9c81211b.gl\n")
    (tmp_path / "kit").mkdir()
    (tmp_path / "kit" / "VERSION").write_text("107.3.3+production.1\n")
    monkeypatch.setenv("ISAAC_PATH", str(tmp_path))
    release = isaac.release_here()
    assert (release.version, release.kit) == ("5.1.0", "107.3.3")
    checks = isaac.check_isaac(release)
    assert [c.name for c in checks] == ["Isaac Sim", "Kit"] and not any(c.fix for c in checks)
    assert "5.1 and 6.0" in isaac.check_isaac(isaac.Release("7.0.0", "", "here"))[0].fix
    assert "107.3" in isaac.check_isaac(isaac.Release("5.1.0", "106.5", "here"))[1].fix


def test_a_second_package_beside_kits_is_found(monkeypatch):
    app = SimpleNamespace(get_app=lambda: SimpleNamespace(get_build_version=lambda: "107.3.3+release.1"))
    monkeypatch.setitem(packages.sys.modules, "omni.kit.app", app)
    assert isaac.release_here().kit == "107.3.3"
    loaded = {"numpy": "2.4.1", "warp": "1.8.2", "pydantic": "2.9.2"}
    monkeypatch.setattr(isaac, "need", lambda name: SimpleNamespace(__version__=loaded[name], __file__="/a/b/c.py"))
    checks = {c.name: c for c in isaac.check_isaac(RELEASE)}
    assert not checks["numpy of Isaac Sim"].ok and "uninstall" in checks["numpy of Isaac Sim"].fix and " in /a:" in checks["numpy of Isaac Sim"].fix
    assert checks["warp of Isaac Sim"].ok and checks["pydantic of Isaac Sim"].ok


def table(**changed):
    rows = {"tailgate": "0.1.0", "numpy": "2.4.6", "NVIDIA driver": "580.95.05, CUDA 13.0", "NVIDIA GPU": "NVIDIA L40"}
    return [Check(name, True, words) for name, words in {**rows, **changed}.items()]


@pytest.fixture
def ssh(program, tmp_path):
    """A stand-in for ssh: prints the file called after the host, and keeps what it was asked."""

    def answer(host, text):
        (tmp_path / host).write_text(text)

    told = f'for host; do case "$host" in -o|*=*) ;; *) break;; esac; done\necho "$@" >> {tmp_path}/asked\n'
    lost = 'echo "ssh: Could not resolve hostname $host" >&2; exit 255'
    program("ssh", f'{told}[ -f "{tmp_path}/$host" ] && cat "{tmp_path}/$host" || {{ {lost}; }}\n')
    return answer


def test_equal_nodes_are_said_to_be_equal(ssh, tmp_path):
    ssh("render1", "Welcome to render1\n" + json.dumps([c.to_json() for c in table()]))
    assert nodes.compare_nodes(["render1", "render1"], table(), tmp_path) == [Check("render1", True, "as this machine")]
    asked = (tmp_path / "asked").read_text()
    assert "BatchMode=yes" in asked and "doctor --json" in asked and asked.count("render1") == 1


def test_what_differs_is_told_line_by_line_with_a_fix(ssh, tmp_path):
    ssh("render1", json.dumps([c.to_json() for c in table(numpy="2.3.1", **{"NVIDIA driver": "570.1, CUDA 12.8"})]))
    own = [*table(), Check("write rate", False, "read-only file system", "choose another --out")]
    ssh("render2", json.dumps([c.to_json() for c in own]))
    told = {c.name: c for c in nodes.compare_nodes(["render1", "render2"], table(), tmp_path)}
    assert list(told) == ["render1: numpy", "render1: NVIDIA driver", "render2: write rate"]
    assert told["render1: NVIDIA driver"].found == "570.1, CUDA 12.8; here 580.95.05, CUDA 13.0"
    assert all(not c.ok and c.fix for c in told.values())


def test_a_node_without_tailgate_still_tells_its_gpu(ssh, tmp_path):
    ssh("render1", "NVIDIA L40, 46068, 8.9, 580.95.05\n| NVIDIA-SMI 580.95.05  CUDA Version: 13.0 |\n")
    (told,) = nodes.compare_nodes(["render1"], table(), tmp_path)
    assert told.name == "render1: tailgate" and told.found == "not installed; here 0.1.0"


def test_nodes_that_cannot_be_reached_and_names_that_are_none(ssh, tmp_path):
    (lost,) = nodes.compare_nodes(["nowhere"], table(), tmp_path)
    assert not lost.ok and "resolve" in lost.found and "BatchMode" in lost.fix
    with pytest.raises(UserError, match="--nodes must be host names"):
        nodes.compare_nodes(["-oProxyCommand=true"], table(), tmp_path)


def test_what_a_node_runs_is_a_command_that_works_here(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(p for p in sys.path if p))
    done = subprocess.run(["sh", "-c", nodes._remote(tmp_path)], capture_output=True, text=True)
    assert {row["name"] for row in json.loads(done.stdout)} >= {"tailgate", "write rate"}


def test_printed_table_escapes_and_counts():
    out = io.StringIO()
    checks = [Check("disk [red]", True, "[bold]x"), Check("memory", False, "1 GB", "buy more")]
    doctor.print_checks(checks, Console(file=out, width=120))
    text = out.getvalue()
    assert "disk [red]" in text and "[bold]x" in text and "buy more" in text and "1 thing to mend" in text


def test_kernel_equals_its_twin():
    import warp as wp
    from tailgate.doctor.kernel import double, double_twin

    values = np.linspace(-3, 3, 7, dtype=np.float32)
    array = wp.array(values, dtype=wp.float32, device="cpu")
    wp.launch(double, dim=7, inputs=[array], device="cpu")
    np.testing.assert_array_equal(array.numpy(), double_twin(values))
