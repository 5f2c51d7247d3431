"""A layer imports only what is below it; stages never import each other (DESIGN §3)."""

import ast
from pathlib import Path

import pytest
from checkout import EXTS, ROOT

CORE, RTX, UI = EXTS / "tailgate.core" / "tailgate", EXTS / "tailgate.rtx" / "tailgate_rtx", EXTS / "tailgate.ui" / "tailgate_ui"
BASE = {"config", "stage", "geometry", "assets", "reference", "frames", "registry", "errors", "packages", "rng", "distributions", "turns", "memory"}
BASE |= {"atomic", "terminal"}
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


def test_the_root_holds_no_scripts():
    assert not [path.name for path in ROOT.glob("*.py")]


@pytest.mark.parametrize("path", sorted(CORE.rglob("*.py")), ids=lambda p: str(p.relative_to(CORE)))
def test_imports_point_down(path):
    part = path.relative_to(CORE).parts[0].removesuffix(".py")
    names = imported(path)
    assert not {n.split(".")[0] for n in names} & FORBIDDEN
    used = {n.split(".")[1] for n in names if n.startswith("tailgate.")} - {"__version__"}
    assert used <= allowed(part), f"{part} may not import {sorted(used - allowed(part))}"


SIMULATOR = ("isaacsim", "omni.replicator")
"""What tailgate.rtx alone imports."""
WINDOWS = ("omni.ui", "omni.kit.window", "omni.kit.menu", "omni.kit.context_menu", "omni.kit.notification_manager")
"""What tailgate.ui alone imports."""
SCRIPTS = {"extension.py", "writer.py", "headless.py", "selfcheck"}
"""Files and folders of tailgate.rtx that are faces; the others are a renderer."""


def parts_of(names: set[str]) -> set[str]:
    return {n.split(".")[1] for n in names if n.startswith("tailgate.")} - {"__version__"}


@pytest.mark.parametrize("path", sorted(RTX.rglob("*.py")), ids=lambda p: str(p.relative_to(RTX)))
def test_the_renderer_of_isaac_sim_is_a_renderer(path):
    names = imported(path)
    assert not [n for n in names if n.startswith(("tailgate_ui", *WINDOWS))]
    below = allowed("runtime") if path.relative_to(RTX).parts[0] in SCRIPTS else BASE | {"render"}
    assert parts_of(names) <= below, f"{path.name} may not import {sorted(parts_of(names) - below)}"


@pytest.mark.parametrize("path", sorted(UI.rglob("*.py")), ids=lambda p: str(p.relative_to(UI)))
def test_the_window_is_a_view(path):
    names = imported(path)
    assert not [n for n in names if n.startswith(("tailgate_rtx", *SIMULATOR))]
    below = BASE | {"runtime", "report", "packages"}
    assert parts_of(names) <= below, f"{path.name} may not import {sorted(parts_of(names) - below)}"


PLAIN = [p for p in sorted(RTX.rglob("*.py")) if p.name != "extension.py"] + [UI / f"{name}.py" for name in ("state", "choices", "tasks")]
"""Files that can be imported without Kit."""


@pytest.mark.parametrize("path", PLAIN, ids=lambda p: p.name)
def test_kit_is_imported_where_it_is_used(path):
    body = ast.parse(path.read_text()).body
    top = {a.name for n in body if isinstance(n, ast.Import) for a in n.names} | {n.module or "" for n in body if isinstance(n, ast.ImportFrom)}
    assert not {n.split(".")[0] for n in top} & (FORBIDDEN | {"pxr"})
