"""Disk, memory, cores and operating system."""

from __future__ import annotations

import os
import platform
import shutil
import tempfile
import time
from pathlib import Path

from tailgate.doctor.check import Check, first_line, numbers
from tailgate.doctor.isaac import Release

MIN_DISK_GB, MIN_WRITE_MB_S, MIN_MEMORY_GB, MIN_CORES = 5.0, 20.0, 4.0, 2
PROBE_MB = 16
ISAAC_MEMORY_GB = 32.0
"""Memory that Isaac Sim asks for (its system requirements)."""
ISAAC_GLIBC = (2, 35)
ISAAC_SYSTEMS = {"ubuntu": ("22.04", "24.04"), "windows": ("10", "11")}
"""Systems that Isaac Sim supports."""


def check_disk(folder: Path) -> Check:
    """Free space of the output folder's disk."""
    try:
        free = shutil.disk_usage(folder).free / 1e9
    except OSError as error:
        return Check("disk space", False, first_line(error), "choose another --out")
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
        return Check("write rate", False, first_line(error), "choose an --out that can be written")
    slow = f"below {MIN_WRITE_MB_S:g} MB/s writing decides the speed of a run: choose a local disk" if rate < MIN_WRITE_MB_S else ""
    return Check("write rate", True, f"{rate:,.0f} MB/s", slow)


def check_memory(release: Release | None = None) -> Check:
    """Memory of the machine, or of the container where that is less."""
    total = _memory_gb()
    if total is None:
        return Check("memory", True, "unknown on this system")
    if total < MIN_MEMORY_GB:
        return Check("memory", False, f"{total:,.1f} GB", f"needs {MIN_MEMORY_GB:g} GB; fewer --workers need less")
    short = release is not None and total < 0.95 * ISAAC_MEMORY_GB
    fix = f"Isaac Sim asks for {ISAAC_MEMORY_GB:g} GB: small scenes, or --backend warp" if short else ""
    return Check("memory", True, f"{total:,.1f} GB", fix)


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


def check_system(release: Release | None = None) -> Check:
    """The operating system; what Isaac Sim asks of it counts where Isaac Sim is."""
    kind, version, words = _system()
    libc = platform.libc_ver()[1]
    found = words + (f", glibc {libc}" if libc else "")
    known = version in ISAAC_SYSTEMS.get(kind, ()) and not (libc and numbers(libc) < ISAAC_GLIBC)
    asked = "Ubuntu 22.04 and 24.04 (glibc 2.35 or newer) and Windows 10 and 11"
    fix = "" if known or release is None else f"Isaac Sim supports {asked}: run it there or in NVIDIA's container, or use --backend warp here"
    return Check("operating system", True, found, fix)


def _system() -> tuple[str, str, str]:
    """Kind, version and words of the system."""
    if platform.system() != "Linux":
        return platform.system().lower(), platform.release(), f"{platform.system()} {platform.release()}"
    try:
        told = platform.freedesktop_os_release()
    except OSError:
        return "linux", "", f"Linux {platform.release()}"
    return told["ID"], told.get("VERSION_ID", ""), told["PRETTY_NAME"]
