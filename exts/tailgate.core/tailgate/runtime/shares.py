"""One budget made on several nodes: each makes a share of every target with a seed of its own, as a run of its own."""

from __future__ import annotations

import re
from pathlib import Path

from tailgate.config.budget import Budget
from tailgate.config.load import Source, validate
from tailgate.errors import UserError, Where
from tailgate.rng import stream_key


def share_overrides(budget: Path, share: str, overrides: list[str]) -> list[str]:
    """What ``--set`` must add for part I of N: targets, name and seed; the parts of all N add up to the budget.

    Args:
        share: "I/N", from 1.
        overrides: what ``--set`` holds already.
    """
    match = re.fullmatch(r"(\d{1,4})/(\d{1,4})", share)
    part, parts = (int(match[1]), int(match[2])) if match else (0, 0)
    if not 1 <= part <= parts:
        raise UserError(f"must be I/N with I from 1 to N, got '{share}'", Where("--share"))
    source = Source(budget, overrides)
    held = validate(Budget, source.data, source)
    targets = [cell.target * part // parts - cell.target * (part - 1) // parts for cell in held.cells]
    if not any(targets):
        raise UserError(f"share {share} of every target is 0: use fewer parts", Where("--share"))
    changed = [f"cells[{i}].target={target}" for i, target in enumerate(targets)]
    seed = stream_key(held.seed, "share", part, parts) % 2**63
    return [*changed, f"name={held.name}-{part}of{parts}", f"seed={seed}"]
