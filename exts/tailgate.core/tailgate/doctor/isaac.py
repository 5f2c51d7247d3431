"""Isaac Sim: which release is here, and whether its Python still holds what the release ships."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import ModuleType

from tailgate.doctor.check import Check
from tailgate.packages import in_isaac, in_kit, install_line, isaac_root, isaacsim_installed, need


@dataclass(frozen=True)
class Release:
    """An Isaac Sim that was found.

    Attributes:
        version: as it calls itself, such as 5.1.0; "" where it does not tell.
        kit: version of Kit, where it tells.
        place: its folder, or where it was found.
    """

    version: str
    kit: str
    place: str


@dataclass(frozen=True)
class Shipped:
    """What a release brings; versions are matched by their beginning."""

    kit: str
    python: str
    packages: dict[str, str]


SHIPPED = {
    "5.1": Shipped("107.3", "3.11", {"numpy": "1.26", "pydantic": "2", "warp": "1.8"}),
    "6.0": Shipped("110.1", "3.12", {"numpy": "2.3", "pydantic": "2.11", "warp": "1.13"}),
}
"""Releases that Tailgate is written for."""


def release_here() -> Release | None:
    """The Isaac Sim of this process, of the environment or of this Python, or None."""
    root = isaac_root()
    if in_kit():
        kit = sys.modules["omni.kit.app"].get_app().get_build_version()
        return Release(_told(root), kit.partition("+")[0], "this Python runs inside Kit")
    if root is not None:
        return Release(_told(root), _first_word(root / "kit" / "VERSION"), f"at {root}")
    if isaacsim_installed():
        return Release(_told(None), "", "installed as a Python package")
    return None


def check_isaac(release: Release | None) -> list[Check]:
    """Isaac Sim; optional. Inside its Python also: Kit and the packages are those that the release ships."""
    if release is None:
        return [Check("Isaac Sim", True, "none (the embedded renderer needs none)")]
    key = ".".join(release.version.split(".")[:2])
    shipped = SHIPPED.get(key)
    known = " and ".join(SHIPPED)
    words = f"{release.version or 'version unknown'}, {release.place}"
    fix = "" if shipped or not release.version else f"written for {known}; run the self-check before you trust its frames"
    checks = [Check("Isaac Sim", True, words, fix)]
    if release.kit:
        other = shipped is not None and not _begins(release.kit, shipped.kit)
        checks.append(Check("Kit", True, release.kit, f"Isaac Sim {key} ships Kit {shipped.kit}: its own kit folder should be used" if other else ""))
    return [*checks, *(_check_shipped(key, shipped) if shipped and in_isaac() else [])]


def _check_shipped(key: str, shipped: Shipped) -> list[Check]:
    """Packages that are loaded here are those of the release: a second copy beside Kit's breaks Kit."""
    checks = []
    for name, asked in shipped.packages.items():
        module = need(name)
        found = _version_of(module)
        ok = _begins(found, asked)
        fix = f"Isaac Sim {key} ships {name} {asked}, another one lies in {_folder(module)}: uninstall it; add packages only with {install_line()}"
        checks.append(Check(f"{name} of Isaac Sim", ok, found, "" if ok else fix))
    return checks


def _version_of(module: ModuleType) -> str:
    return str(getattr(module, "__version__", None) or getattr(module, "VERSION", "unknown"))


def _folder(module: ModuleType) -> Path:
    return Path(module.__file__ or ".").parent.parent


def _begins(found: str, asked: str) -> bool:
    return (found + ".").startswith(asked + ".")


def _told(root: Path | None) -> str:
    """What the release calls itself: its VERSION file, else the package's version."""
    text = _first_word(root / "VERSION") if root else ""
    if text:
        return text
    try:
        return version("isaacsim")
    except PackageNotFoundError:
        return ""


def _first_word(file: Path) -> str:
    """The version in a VERSION file without build marks: 5.1.0-rc.19+release.1 -> 5.1.0."""
    try:
        return file.read_text(encoding="utf-8").split("-")[0].split("+")[0].strip()
    except OSError:
        return ""
