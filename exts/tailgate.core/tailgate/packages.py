"""The third-party packages: which versions, how each comes into Isaac Sim's Python, and what to say where one is missing.

Python inside Isaac Sim belongs to Kit: a second numpy, pydantic or pxr on its path breaks it. A clip is drawn, rendered, measured and stored there
with what Kit brings. ``KIT_PACKAGES`` lists what the rest of a run needs; ``install_line`` adds it without touching anything that is there.
"""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Literal

from tailgate.errors import UserError

KIT_PACKAGES = Path(__file__).with_name("kit-packages.txt")


@dataclass(frozen=True)
class Package:
    """A package that is imported by name somewhere in Tailgate.

    Attributes:
        name: what the index calls it.
        module: what Python calls it.
        least: oldest version that works.
        kit: ``ships`` with Isaac Sim, is ``added`` there by ``install_line``, or stays ``out`` of it.
        extra: the extra of ``pyproject.toml`` that brings it outside; "" comes always.
    """

    name: str
    module: str
    least: str
    kit: Literal["ships", "added", "out"] = "added"
    extra: str = "standalone"


PACKAGES = (
    Package("numpy", "numpy", "1.26", "ships", ""),
    Package("pydantic", "pydantic", "2.9", "ships", ""),
    Package("warp-lang", "warp", "1.8.1", "ships", ""),
    Package("ruamel.yaml", "ruamel", "0.18", extra=""),
    Package("typer", "typer", "0.15", extra=""),
    Package("rich", "rich", "13", extra=""),
    Package("usd-core", "pxr", "24.11", "ships"),
    Package("POT", "ot", "0.9.5"),
    Package("scipy", "scipy", "1.13", "ships"),
    Package("scikit-learn", "sklearn", "1.5"),
    Package("laspy", "laspy", "2.5"),
    Package("plyfile", "plyfile", "1.0"),
    Package("pypcd4", "pypcd4", "1.1"),
    Package("pyarrow", "pyarrow", "17"),
    Package("blosc2", "blosc2", "3", "out"),
    Package("opencv-python-headless", "cv2", "4.10"),
    Package("OpenEXR", "OpenEXR", "3.3"),
    Package("pillow", "PIL", "10.1", "ships"),
    Package("pycocotools", "pycocotools", "2.0.8"),
    Package("jinja2", "jinja2", "3.1"),
    Package("filelock", "filelock", "3.16"),
    Package("torch", "torch", "2.5", "ships", "learn"),
    Package("onnx", "onnx", "1.16", "out", "learn"),
    Package("onnxruntime", "onnxruntime", "1.18", "out", "learn"),
)
"""Equal to ``pyproject.toml``, in its order."""


def need(module: str) -> ModuleType:
    """Import a module by its full name; raises UserError with the package and how to install it where that fails."""
    try:
        return import_module(module)
    except ImportError as error:
        raise missing(module, error) from error


@cache
def found(module: str) -> ModuleType | None:
    """A module that can be done without, or None; asked for once."""
    try:
        return import_module(module)
    except ImportError:
        return None


def missing(module: str, error: ImportError | None = None) -> UserError:
    """The sentence for a module that cannot be imported: its package, what is wrong, and the line that mends it."""
    package = _of_module(module) or Package(module.partition(".")[0], module, "", "out")
    if error is None or isinstance(error, ModuleNotFoundError):
        return UserError(f"this needs the package {package.name}, which is not installed here: {remedy(package)}")
    return UserError(f"this needs the package {package.name}, which cannot be loaded: {str(error).splitlines()[0]}; install a version that fits")


@contextmanager
def packages_named() -> Iterator[None]:
    """Turn the failed import of a package of ours into the sentence of ``missing``; other failures stay what they are."""
    try:
        yield
    except ModuleNotFoundError as error:
        if not error.name or _of_module(error.name) is None:
            raise
        raise missing(error.name) from error


def remedy(package: Package) -> str:
    """How to get a package into this Python."""
    if not in_isaac():
        return f"pip install 'tailgate[{package.extra}]'" if package.extra else "pip install tailgate"
    if package.kit == "added":
        return install_line()
    if package.kit == "ships":
        return "it comes with Isaac Sim; start its python.sh, in a script SimulationApp before everything else, and never install a second one"
    return f"it is not meant for Isaac Sim's Python; do this outside, where pip install 'tailgate[{package.extra or 'standalone'}]' brings it"


def install_line() -> str:
    """The command that adds to Isaac Sim's Python what Tailgate needs and Kit lacks, and Tailgate itself; nothing that is there changes."""
    root = isaac_root()
    python = str(root / "python.sh") if root else sys.executable if isaacsim_installed() else "./python.sh"
    checkout = KIT_PACKAGES.parents[3]
    own = ["-e", str(checkout)] if (checkout / "pyproject.toml").is_file() else []
    return shlex.join([python, "-m", "pip", "install", "--no-deps", "-r", str(KIT_PACKAGES), *own])


def isaac_root() -> Path | None:
    """Folder of an installed Isaac Sim that the environment names (its ``python.sh`` sets ISAAC_PATH), or None."""
    named = (os.environ.get(variable) for variable in ("ISAAC_PATH", "ISAACSIM_PATH"))
    return next((Path(folder) for folder in named if folder and Path(folder).is_dir()), None)


def isaacsim_installed() -> bool:
    """Whether Isaac Sim is here as the package ``isaacsim`` (its form for pip)."""
    return "isaacsim" in sys.modules or find_spec("isaacsim") is not None


def in_kit() -> bool:
    """Whether a Kit application runs in this process."""
    return "omni.kit.app" in sys.modules


def in_isaac() -> bool:
    """Whether this Python is Isaac Sim's: Kit runs in it, it lies in Isaac Sim's folder, or it holds the package ``isaacsim``."""
    root = isaac_root()
    lies_there = root is not None and root.resolve() in Path(sys.prefix).resolve().parents
    return in_kit() or lies_there or isaacsim_installed()


def _of_module(module: str) -> Package | None:
    return next((p for p in PACKAGES if p.module == module.partition(".")[0]), None)
