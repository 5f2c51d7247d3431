"""Tailgate itself, Python, the packages and Warp."""

from __future__ import annotations

import platform
import sys
import time
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

from tailgate import __version__
from tailgate.doctor.check import Check, first_line, numbers
from tailgate.packages import PACKAGES, Package, in_isaac, remedy

PYTHONS = ((3, 11), (3, 13))
OPTIONAL = ("learn",)
"""Extras that are looked at only where they are installed."""


def check_tailgate() -> Check:
    """The version that runs here."""
    return Check("tailgate", True, __version__)


def check_python() -> Check:
    """The interpreter's version lies in the supported range."""
    low, high = PYTHONS
    ok = low <= sys.version_info[:2] < high
    asked = f"{low[0]}.{low[1]} to {high[0]}.{high[1] - 1}"
    return Check("Python", ok, f"{platform.python_version()} on {platform.system()} {platform.machine()}", "" if ok else f"use Python {asked}")


def check_packages() -> list[Check]:
    """Every package of Tailgate, in at least the version it needs."""
    return [check_package(p) for p in PACKAGES if p.extra not in OPTIONAL or installed(p) is not None]


def check_package(package: Package) -> Check:
    """A package is there, loads, and is new enough. In Isaac Sim only what a clip needs must be, and all that is there stays."""
    found = installed(package)
    inside = in_isaac()
    if found is None:
        optional = inside and (package.kit != "ships" or package.extra != "")
        return Check(package.name, optional, "not installed", "" if optional and package.kit == "out" else remedy(package))
    try:
        import_module(package.module)
    except Exception as error:
        return Check(package.name, inside, found, f"cannot be loaded: {first_line(error)}; install a version that fits")
    old = found != "bundled" and numbers(found) < numbers(package.least)
    if old and inside:
        return Check(package.name, True, found, f"{package.least} or newer is what is tested; Isaac Sim's own stays as it is")
    return Check(package.name, not old, found, f"needs {package.least} or newer: {remedy(package)}" if old else "")


def installed(package: Package) -> str | None:
    """Version of a package; "bundled" where only the module is there, None where neither is."""
    try:
        return version(package.name)
    except PackageNotFoundError:
        return "bundled" if find_spec(package.module) is not None else None


def check_warp() -> list[Check]:
    """Warp finds its devices, and a kernel compiles and gives the right answer on each."""
    if find_spec("warp") is None:
        return [Check("Warp devices", False, "Warp is not installed", remedy(next(p for p in PACKAGES if p.module == "warp")))]
    try:
        from tailgate.geometry.quiet import wp

        devices = [str(d) for d in wp.get_devices()]
    except Exception as error:
        return [Check("Warp devices", False, first_line(error), "reinstall warp-lang; its native library does not load")]
    checks = [Check("Warp devices", True, ", ".join(f"{d} ({wp.get_device(d).name})" for d in devices))]
    return checks + [_check_kernel(device) for device in devices]


def _check_kernel(device: str) -> Check:
    """Compile and run a kernel whose answer is known."""
    from tailgate.doctor.kernel import double
    from tailgate.geometry.quiet import wp

    start = time.perf_counter()
    try:
        values = wp.array([1.0, 2.0, 3.0], dtype=wp.float32, device=device)
        wp.launch(double, dim=3, inputs=[values], device=device)
        right = values.numpy().tolist() == [2.0, 4.0, 6.0]
    except Exception as error:
        fix = "update the NVIDIA driver, or use --device cpu" if device != "cpu" else "check that Warp's kernel cache folder can be written"
        return Check(f"Warp kernel on {device}", device != "cpu", first_line(error), fix)
    words = f"compiles and runs ({time.perf_counter() - start:.1f} s)" if right else "gives wrong numbers"
    return Check(f"Warp kernel on {device}", right, words, "" if right else "reinstall warp-lang")
