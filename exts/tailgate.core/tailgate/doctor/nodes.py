"""Other machines of a run: the same software, driver and GPU as here, or what differs."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tailgate.doctor.check import Check, first_line
from tailgate.doctor.gpu import QUERY, read_cuda, read_gpus
from tailgate.errors import UserError

TIMEOUT = 120.0
"""Seconds that a node may take: connecting, and a first compilation of Warp's test kernel."""
CONNECT = 10
SSH = ("ssh", "-o", "BatchMode=yes", "-o", f"ConnectTimeout={CONNECT}")
COMPARED = {
    "tailgate": "check out the same version everywhere",
    "Python": "use one Python version: run scripts/setup on every node",
    "numpy": "run scripts/setup on every node: constraints.txt fixes the versions",
    "pydantic": "run scripts/setup on every node: constraints.txt fixes the versions",
    "warp-lang": "run scripts/setup on every node: constraints.txt fixes the versions",
    "usd-core": "run scripts/setup on every node: constraints.txt fixes the versions",
    "NVIDIA driver": "install one driver version on all nodes",
    "NVIDIA GPU": "give each GPU model a run of its own: frames of the RTX renderer are not equal across models",
    "Isaac Sim": "install the same release on all nodes",
    "Kit": "install the same release on all nodes",
}
"""What must be equal, and how it becomes so."""


def compare_nodes(nodes: Sequence[str], here: Sequence[Check], out: Path) -> list[Check]:
    """Ask every node over ssh, all at once, and say what differs from this machine.

    Args:
        nodes: host names as ssh knows them; each must let this user in without a password.
        here: the checks of this machine.
        out: folder whose disk a node checks as well.

    Returns:
        One check per node that is as this one, else one per difference; and whatever a node itself finds wrong.

    Raises:
        UserError: a name that is no host.
    """
    for node in nodes:
        if not re.fullmatch(r"[\w][\w.:@%\[\]-]*", node):
            raise UserError(f"--nodes must be host names separated by commas, got '{node}'")
    wanted = list(dict.fromkeys(nodes))
    with ThreadPoolExecutor(max(len(wanted), 1)) as pool:
        answers = list(pool.map(lambda node: ask(node, out), wanted))
    return [check for node, there in zip(wanted, answers, strict=True) for check in _compare(node, here, there)]


def ask(node: str, out: Path) -> list[Check]:
    """The checks of a node: those of its Tailgate, else what its ``nvidia-smi`` tells; one called "" where it does not answer."""
    try:
        done = subprocess.run([*SSH, node, _remote(out)], capture_output=True, text=True, timeout=TIMEOUT, stdin=subprocess.DEVNULL)
    except subprocess.TimeoutExpired:
        return [Check("", False, f"no answer within {TIMEOUT:g} s", f"try: {shlex.join([*SSH, node, 'true'])}")]
    except OSError as error:
        return [Check("", False, first_line(error), "install an ssh client here")]
    text = done.stdout.strip()
    try:
        return [Check(**row) for row in json.loads(text[text.index("[") :])]
    except (ValueError, TypeError):
        pass
    gpus = read_gpus(text)
    if not gpus:
        said = first_line(done.stderr.strip() or "neither tailgate nor nvidia-smi answers")
        return [Check("", False, said, f"let this work without a password: {shlex.join([*SSH, node, 'true'])}")]
    cuda = read_cuda(text)
    return [
        Check("tailgate", False, "not installed"),
        Check("NVIDIA GPU", True, "; ".join(g.name for g in gpus)),
        Check("NVIDIA driver", True, gpus[0].driver + (f", CUDA {cuda}" if cuda else "")),
    ]


def _remote(out: Path) -> str:
    """What a node runs, in its POSIX shell: the Tailgate at the same place (a shared disk), the one on its path, or ``nvidia-smi``."""
    here, asked = shlex.quote(sys.executable), f"doctor --json --out {shlex.quote(str(out))}"
    smi = f"nvidia-smi --query-gpu={QUERY} --format=csv,noheader,nounits && nvidia-smi"
    mine = f"{here} -m tailgate.cli"
    return f"if {mine} --help >/dev/null 2>&1; then {mine} {asked}; elif command -v tailgate >/dev/null; then tailgate {asked}; else {smi}; fi"


def _compare(node: str, here: Sequence[Check], there: Sequence[Check]) -> list[Check]:
    if there and not there[0].name:
        return [Check(f"{node}", False, there[0].found, there[0].fix)]
    mine, its = ({c.name: c.found for c in side} for side in (here, there))
    told = [Check(f"{node}: {c.name}", False, c.found, c.fix) for c in there if not c.ok and c.fix]
    for name, fix in COMPARED.items():
        if name in its and its[name] != mine.get(name, "none"):
            told.append(Check(f"{node}: {name}", False, f"{its[name]}; here {mine.get(name, 'none')}", fix))
    return told or [Check(node, True, "as this machine")]
