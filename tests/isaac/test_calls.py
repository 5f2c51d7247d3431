"""Every call of the project into Isaac Sim's packages names something known and binds to its signature, in one flavour at least."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from checkout import ROOT
from standin import table
from standin.modules import ROOTS, members
from standin.prose import PROSE

SHARED = ROOT.parent / "shared" / "isaac" / "check_calls.py"
FOLDERS = ("exts", "randomizers", "scripts")


def names_of(tree: ast.AST) -> dict[str, str]:
    """Local name -> full dotted name that it was imported from."""
    out = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            out.update({a.asname or a.name.split(".")[0]: a.name if a.asname else a.name.split(".")[0] for a in node.names})
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            out.update({a.asname or a.name: f"{node.module}.{a.name}" for a in node.names})
    return out


def dotted(node: ast.AST) -> list[str]:
    """Parts of ``a.b.c``, [] for anything else."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.insert(0, node.attr)
        node = node.value
    return [node.id, *parts] if isinstance(node, ast.Name) else []


def calls(path: Path) -> Iterator[tuple[str, ast.Call]]:
    """Calls of a file into Isaac Sim's packages, by full name."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names = names_of(tree)
    for node in ast.walk(tree):
        parts = dotted(node.func) if isinstance(node, ast.Call) else []
        if parts and names.get(parts[0], "").split(".")[0] in ROOTS:
            yield ".".join([names[parts[0]], *parts[1:]]), node


def canonical(full: str, flavour: str) -> str | None:
    """The row's own name of what ``full`` says, aliases resolved; None where the flavour does not know it."""
    known = members(flavour)
    for module in sorted((m for m in known if full.startswith(m + ".")), key=len, reverse=True):
        first, _, rest = full[len(module) + 1 :].partition(".")
        if first in known[module]:
            return known[module][first] + (f".{rest}" if rest else "")
    return None


def trouble(full: str, call: ast.Call) -> str | None:
    """Why a call is wrong in both flavours, None where it is right in one."""
    reasons = []
    for flavour in table.FLAVOURS:
        own = canonical(full, flavour)
        row = table.find(own) if own else None
        text = table.text_of(row, flavour) if row else None
        if own is None or (row is not None and text is None):
            reasons.append(f"{flavour}: not known")
            continue
        if row is None or any(isinstance(a, ast.Starred) for a in call.args) or any(k.arg is None for k in call.keywords):
            return None
        try:
            table.signature_of(text).bind(*call.args, **{k.arg: k.value for k in call.keywords})
            return None
        except TypeError as error:
            reasons.append(f"{flavour}: {error}")
    return "; ".join(reasons)


def test_calls_bind():
    bad, seen = [], 0
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.py")):
            for full, call in calls(path):
                seen += 1
                reason = trouble(full, call)
                if reason:
                    bad.append(f"{path.relative_to(ROOT)}:{call.lineno} {full}: {reason}")
    assert not bad, "\n".join(bad)


def test_the_check_finds_what_is_wrong(tmp_path):
    code = """
import omni.replicator.core as rep
from isaacsim.core.simulation_manager import SimulationManager
rep.orchestrator.step(rt_subframes=4)
rep.AnnotatorRegistry.get_annotator("rgb", device="cuda")
rep.orchestrator.step(subframes=4)
rep.orchestrator.stepp()
SimulationManager.step(render=True)
SimulationManager.step(steps=2)
SimulationManager.step(frames=2)
"""
    (tmp_path / "x.py").write_text(code)
    assert [call.lineno for full, call in calls(tmp_path / "x.py") if trouble(full, call)] == [6, 7, 10]


def test_the_reference_s_own_check_agrees():
    if not SHARED.is_file():
        pytest.skip("the reference's checker of calls is not here")
    done = subprocess.run([sys.executable, str(SHARED), str(ROOT)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    uncovered = set(re.findall(r"^not covered: (\S+)", done.stdout, re.MULTILINE))
    unknown = {name for name in uncovered if not any(name == full or name.startswith(full + ".") for full in PROSE)}
    assert not unknown, f"neither the list nor the text of the reference has {sorted(unknown)}"
