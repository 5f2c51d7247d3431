"""Whether this project works in the Isaac Sim at hand: one command, a table, and a JSON file for bug reports."""

from __future__ import annotations

import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from tailgate_rtx.selfcheck.annotators import check_annotators
from tailgate_rtx.selfcheck.calls import check_calls
from tailgate_rtx.selfcheck.found import Findings
from tailgate_rtx.selfcheck.runs import check_against_embedded, check_lidar, check_restore, check_run

PACKAGES = ("numpy", "pydantic", "warp-lang", "torch")
ONLY_IN = {"isaacsim.sensors.experimental": "6.0", "isaacsim.sensors.rtx": "5.1"}
"""Modules of one release; the other's are not looked up."""


async def self_check(device: str, clips: int) -> Findings:
    """Everything, each check guarded so that the next one runs."""
    found = Findings()
    with found.guarded("versions"):
        check_versions(found, device)
    with found.guarded("calls"):
        from tailgate_rtx.releases import release

        check_calls(found, sources(), release().name, ONLY_IN)
    await found.run("annotators", check_annotators)
    for check in (check_against_embedded, check_lidar, check_restore):
        await found.run(check.__name__.removeprefix("check_").replace("_", " "), lambda f, check=check: check(f, device))
    await found.run("run", lambda f: check_run(f, device, clips))
    return found


def check_versions(found: Findings, device: str) -> None:
    """What runs here."""
    import tailgate
    from tailgate.geometry.quiet import wp

    from tailgate_rtx.releases import release, replicator_version

    check = "versions"
    found.add(check, "Isaac Sim", True, release().name)
    found.tell(check, "omni.replicator.core", ".".join(map(str, replicator_version())))
    found.add(check, "Python", (3, 11) <= sys.version_info[:2] <= (3, 12), f"{platform.python_version()} on {platform.platform()}", "3.11 or 3.12")
    found.tell(check, "tailgate", tailgate.__version__)
    for name in PACKAGES:
        found.tell(check, name, installed(name))
    found.tell(check, "Warp", f"{wp.config.version}, devices {', '.join(f'{d} ({wp.get_device(d).name})' for d in wp.get_devices())}")
    found.add(check, "device", device in {str(d) for d in wp.get_devices()}, device, "one of Warp's devices")


def installed(name: str) -> str:
    """Version of a package; what Kit bundles may have no metadata."""
    try:
        return version(name)
    except PackageNotFoundError:
        return "bundled with Kit, or absent"


def sources() -> dict[str, Path]:
    """This project's files that may call Isaac Sim: those of this package, and of the window where it lies beside."""
    roots = {"tailgate_rtx": Path(__file__).resolve().parents[1]}
    window = roots["tailgate_rtx"].parents[1] / "tailgate.ui" / "tailgate_ui"
    if window.is_dir():
        roots["tailgate_ui"] = window
    return {f"{name}/{path.relative_to(root)}": path for name, root in roots.items() for path in sorted(root.rglob("*.py"))}
