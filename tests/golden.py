"""Golden metric values: expected results computed independently, kept outside the repository (``TAILGATE_GOLDEN``, else ``../shared/golden``)."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from checkout import shared

NEEDS_RECORDINGS = "load("


def folder() -> Path | None:
    """Folder of the golden values, or None."""
    named = shared("TAILGATE_GOLDEN", "golden")
    return named if named and (named / "metrics.json").is_file() else None


@cache
def _document() -> dict[str, Any]:
    found = folder()
    return json.loads((found / "metrics.json").read_text()) if found else {"cases": [], "inputs": {}}


def cases(metric: str, recordings: bool = False) -> list[Any]:
    """Parameters for the cases whose metric starts with ``metric``; with or without those that read recordings."""
    inputs = _document()["inputs"]

    def reads(case: Mapping[str, Any]) -> bool:
        return any(NEEDS_RECORDINGS in line for name in case["inputs"] for line in inputs[name]["python"])

    found = [c for c in _document()["cases"] if c["metric"].startswith(metric) and reads(c) == recordings]
    if not found:
        return [pytest.param(None, id="absent", marks=pytest.mark.skip(reason="no golden values here: set TAILGATE_GOLDEN to their folder"))]
    return [pytest.param(c, id=c["id"]) for c in found]


def arrays(case: Mapping[str, Any], load: Callable[[str], Any] | None = None) -> dict[str, np.ndarray]:
    """The arrays of all inputs of a case, by their capital names; skips where an input needs a package that is not here."""
    out: dict[str, Any] = {}
    for name in case["inputs"]:
        scope: dict[str, Any] = {"np": np, "load": load}
        try:
            exec("\n".join(_document()["inputs"][name]["python"]), scope)
        except ImportError as error:
            pytest.skip(f"the input '{name}' needs {error.name}")
        check = _document()["inputs"][name].get("check", {})
        for key, value in scope.items():
            if isinstance(value, np.ndarray):
                out[key] = value
                if key in check and "sum" in check[key]:
                    assert float(value.sum(dtype=np.float64)) == pytest.approx(check[key]["sum"], rel=1e-6, abs=1e-6), f"input {name}.{key} differs"
    return out


def loader(root: Path) -> Callable[[str], Any]:
    """``load`` of the inputs: a recording relative to the data root."""

    def load(path: str) -> Any:
        if path.endswith(".bin"):
            return np.fromfile(root / path, "<f4")
        with np.load(root / path, allow_pickle=False) as held:
            return dict(held)

    return load


def matches(value: float, expected: float, case: Mapping[str, Any]) -> bool:
    """Whether a value lies within the case's tolerance; exact where it gives none."""
    return abs(value - expected) <= case.get("atol", 0.0) + case.get("rtol", 0.0) * abs(expected)
