"""What this machine can do: one check per thing a run needs, each with what was found and how to mend it."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

NEEDED = {"numpy": "1.26", "pydantic": "2.9", "warp-lang": "1.8.1"}
STANDALONE = {"usd-core": "24.11", "POT": "0.9.5", "scipy": "1.13", "opencv-python-headless": "4.10", "pillow": "10", "blosc2": "3", "jinja2": "3.1"}
PYTHONS = ((3, 11), (3, 13))
MIN_DISK_GB, MIN_WRITE_MB_S, MIN_MEMORY_GB, MIN_CORES = 5.0, 20.0, 4.0, 2
PROBE_MB = 16
INSTALL = "pip install 'tailgate[standalone]'"


@dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    Attributes:
        name: what.
        ok: whether a run can work with what was found; optional things are ok when absent.
        found: what is there.
        fix: what to do, "" where nothing is wrong.
    """

    name: str
    ok: bool
    found: str
    fix: str = ""

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)


def diagnose(out: str | Path = ".") -> list[Check]:
    """Look at everything a run needs.

    Args:
        out: folder whose disk is checked; the nearest existing parent where it is not made yet.

    Returns:
        Checks in a fixed order; every one is made, whatever the others find.
    """
    folder = Path(out).expanduser().resolve()
    while not folder.is_dir() and folder != folder.parent:
        folder = folder.parent
    checks = [check_python(), *(check_package(n, least) for n, least in NEEDED.items()), *check_warp()]
    checks += [check_package(name, least, inside_kit=True) for name, least in STANDALONE.items()]
    return [*checks, check_disk(folder), check_write(folder), check_memory(), check_cores(), check_driver(), check_isaac()]


def print_checks(checks: list[Check], console: Console) -> None:
    """Print a table of checks and, below it, how to mend what is wrong."""
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, pad_edge=False, show_header=False)
    for check in checks:
        mark = "[green]ok[/green]" if check.ok else "[red]no[/red]"
        table.add_row(mark, escape(check.name), escape(check.found))
    console.print(table)
    for check in checks:
        if check.fix:
            console.print(f"[{'yellow' if check.ok else 'red'}]{escape(check.name)}[/]: {escape(check.fix)}", soft_wrap=True)
    wrong = sum(not c.ok for c in checks)
    console.print(f"{wrong} thing{'s' if wrong != 1 else ''} to mend" if wrong else "this machine can make data")


def check_python() -> Check:
    """The interpreter's version lies in the supported range."""
    low, high = PYTHONS
    ok = low <= sys.version_info[:2] < high
    asked = f"{low[0]}.{low[1]} to {high[0]}.{high[1] - 1}"
    return Check("Python", ok, f"{platform.python_version()} on {platform.system()} {platform.machine()}", "" if ok else f"use Python {asked}")


def check_package(name: str, least: str, inside_kit: bool = False) -> Check:
    """A package is installed in at least the version that is needed; inside Kit some packages come with the application or are not needed."""
    try:
        found = version(name)
    except PackageNotFoundError:
        found = _bundled(name)
        if found is None:
            return Check(name, inside_kit and in_kit(), "not installed", "" if inside_kit and in_kit() else INSTALL)
        return Check(name, True, found)
    ok = _numbers(found) >= _numbers(least)
    return Check(name, ok, found, "" if ok else f"needs {least} or newer: {INSTALL}")


def _bundled(name: str) -> str | None:
    """Packages that an application or another distribution may bring under the same module."""
    modules = {"usd-core": "pxr", "warp-lang": "warp", "opencv-python-headless": "cv2", "POT": "ot", "pillow": "PIL"}
    return "bundled" if find_spec(modules.get(name, name)) is not None else None


def _numbers(text: str) -> tuple[int, ...]:
    """Leading numbers of a version: 1.8.1rc2 -> (1, 8, 1)."""
    out: list[int] = []
    for part in text.split(".")[:3]:
        digits = part[: len(part) - len(part.lstrip("0123456789"))]
        if not digits:
            break
        out.append(int(digits))
    return tuple(out)


def check_warp() -> list[Check]:
    """Warp finds its devices, and a kernel compiles and gives the right answer on each."""
    if find_spec("warp") is None:
        return [Check("Warp devices", False, "Warp is not installed", INSTALL)]
    try:
        from tailgate.geometry.quiet import wp

        devices = [str(d) for d in wp.get_devices()]
    except Exception as error:
        return [Check("Warp devices", False, _first_line(error), "reinstall warp-lang; its native library does not load")]
    checks = [Check("Warp devices", True, ", ".join(f"{d} ({wp.get_device(d).name})" for d in devices))]
    return checks + [_check_kernel(device) for device in devices]


def _check_kernel(device: str) -> Check:
    """Compile and run a kernel whose answer is known."""
    from tailgate.doctor_kernel import double
    from tailgate.geometry.quiet import wp

    start = time.perf_counter()
    try:
        values = wp.array([1.0, 2.0, 3.0], dtype=wp.float32, device=device)
        wp.launch(double, dim=3, inputs=[values], device=device)
        right = values.numpy().tolist() == [2.0, 4.0, 6.0]
    except Exception as error:
        fix = "update the NVIDIA driver, or use --device cpu" if device != "cpu" else "check that Warp's kernel cache folder can be written"
        return Check(f"Warp kernel on {device}", device != "cpu", _first_line(error), fix)
    words = f"compiles and runs ({time.perf_counter() - start:.1f} s)" if right else "gives wrong numbers"
    return Check(f"Warp kernel on {device}", right, words, "" if right else "reinstall warp-lang")


def check_disk(folder: Path) -> Check:
    """Free space of the output folder's disk."""
    try:
        free = shutil.disk_usage(folder).free / 1e9
    except OSError as error:
        return Check("disk space", False, _first_line(error), "choose another --out")
    ok = free >= MIN_DISK_GB
    return Check("disk space", ok, f"{free:,.1f} GB free", "" if ok else f"free at least {MIN_DISK_GB:g} GB or choose another --out")


def check_write(folder: Path) -> Check:
    """Rate of durable writes: PROBE_MB in 1 MB pieces and one sync to the disk, then removed."""
    piece = os.urandom(1 << 20)
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            start = time.perf_counter()
            for _ in range(PROBE_MB):
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())
            rate = PROBE_MB * len(piece) / 1e6 / max(time.perf_counter() - start, 1e-6)
    except OSError as error:
        return Check("write rate", False, _first_line(error), "choose an --out that can be written")
    slow = f"below {MIN_WRITE_MB_S:g} MB/s writing decides the speed of a run: choose a local disk" if rate < MIN_WRITE_MB_S else ""
    return Check("write rate", True, f"{rate:,.0f} MB/s", slow)


def check_memory() -> Check:
    """Memory of the machine, or of the container where that is less."""
    total = _memory_gb()
    if total is None:
        return Check("memory", True, "unknown on this system")
    ok = total >= MIN_MEMORY_GB
    return Check("memory", ok, f"{total:,.1f} GB", "" if ok else f"needs {MIN_MEMORY_GB:g} GB; fewer --workers need less")


def _memory_gb() -> float | None:
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None
    for limit in (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes")):
        try:
            total = min(total, int(limit.read_text()))
        except (OSError, ValueError):
            continue
    return total / 1e9


def check_cores() -> Check:
    """Cores this process may use."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return Check("cores", True, str(cores), "" if cores >= MIN_CORES else "one core: use --workers 1 and expect half the rate")


def check_driver(run: Callable[..., Any] = subprocess.run) -> Check:
    """NVIDIA GPU and driver, where there is one; optional."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return Check("NVIDIA GPU", True, "none (the embedded renderer runs on the CPU)")
    try:
        command = [tool, "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"]
        said = run(command, capture_output=True, text=True, timeout=20, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return Check("NVIDIA GPU", True, "nvidia-smi is there but does not answer", "reinstall the NVIDIA driver, or use --device cpu")
    return Check("NVIDIA GPU", True, "; ".join(line.strip() for line in said.splitlines()) or "none listed")


def in_kit() -> bool:
    """Whether this Python is that of a running Kit application."""
    return "omni.kit.app" in sys.modules


def check_isaac() -> Check:
    """Isaac Sim, by its package or its root folder; optional."""
    if in_kit():
        return Check("Isaac Sim", True, "this Python runs inside Kit")
    root = os.environ.get("ISAACSIM_PATH") or os.environ.get("ISAAC_PATH")
    if root and Path(root).is_dir():
        return Check("Isaac Sim", True, f"found at {root}")
    if find_spec("isaacsim") is not None:
        return Check("Isaac Sim", True, "installed as a Python package")
    return Check("Isaac Sim", True, "none (the embedded renderer needs none)")


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
