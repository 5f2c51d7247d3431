"""A layer imports only what is below it; stages never import each other (DESIGN §3)."""

import ast
from pathlib import Path

import pytest

CORE = Path(__file__).resolve().parents[1] / "exts" / "tailgate.core" / "tailgate"
BASE = {"config", "stage", "geometry", "assets", "reference", "frames", "registry", "errors", "packages", "rng", "distributions", "turns"}
STAGES = {"randomize", "render", "sensors", "validate", "datasets", "ledger"}
OFFLINE = {"plan", "calibrate", "report"}
LOOSE = {"feedback": BASE, "doctor": BASE}
FACES = {"cli"}
FORBIDDEN = {"omni", "carb", "isaacsim"}


def allowed(part: str) -> set[str]:
    if part in BASE:
        return BASE
    if part in STAGES:
        return BASE | {part}
    if part in OFFLINE:
        return BASE | STAGES | {part}
    if part in LOOSE:
        return LOOSE[part] | {part}
    everything = BASE | STAGES | OFFLINE | set(LOOSE) | {"runtime"}
    return everything if part == "runtime" else everything | FACES


def imported(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {a.name for a in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {f"{node.module}.{a.name}" for a in node.names}
    return names


@pytest.mark.parametrize("path", sorted(CORE.rglob("*.py")), ids=lambda p: str(p.relative_to(CORE)))
def test_imports_point_down(path):
    part = path.relative_to(CORE).parts[0].removesuffix(".py")
    names = imported(path)
    assert not {n.split(".")[0] for n in names} & FORBIDDEN
    used = {n.split(".")[1] for n in names if n.startswith("tailgate.")} - {"__version__"}
    assert used <= allowed(part), f"{part} may not import {sorted(used - allowed(part))}"
