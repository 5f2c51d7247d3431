"""How long a budget takes: deficit over rate and acceptance."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from tailgate.errors import UserError

DEFAULT_RATE = 1000.0
DEFAULT_ACCEPTANCE = 0.7


@dataclass(frozen=True)
class Rate:
    """Speed of generation.

    Attributes:
        per_hour: samples made per hour before the gate.
        acceptance: share of them that the gate is expected to accept, 0..1.
        origin: where the two numbers come from, in words.
    """

    per_hour: float = DEFAULT_RATE
    acceptance: float = DEFAULT_ACCEPTANCE
    origin: str = "built-in defaults, not measured on this machine"

    def hours(self, samples: int) -> float:
        """Hours [h] to get that many accepted samples."""
        return samples / (self.per_hour * self.acceptance)


def rate_of(per_hour: float | None, acceptance: float | None, run: Path | None) -> Rate:
    """Take what the user gives, else what an earlier run measured, else the defaults.

    Raises:
        UserError: a number out of range, or a run whose ``status.json`` is missing or records nothing accepted yet.
    """
    if per_hour is not None and not per_hour > 0:
        raise UserError(f"rate must be above 0 samples per hour, got {per_hour:g}")
    if acceptance is not None and not 0 < acceptance <= 1:
        raise UserError(f"acceptance must be above 0 and at most 1, got {acceptance:g}")
    measured = _measured(run) if run else {}
    found = Rate(measured.get("rate_per_hour") or DEFAULT_RATE, measured.get("acceptance") or DEFAULT_ACCEPTANCE)
    origin = f"measured from {run}" if run else found.origin
    if per_hour is not None and acceptance is not None:
        origin = "as given"
    elif per_hour is not None or acceptance is not None:
        origin = f"{'rate' if per_hour is not None else 'acceptance'} as given, {'acceptance' if per_hour is not None else 'rate'} from {origin}"
    return Rate(per_hour or found.per_hour, acceptance or found.acceptance, origin)


def _measured(run: Path) -> dict[str, float]:
    path = run / "status.json" if run.is_dir() else run
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError("an earlier run must hold status.json to measure its rate from", run) from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"is not valid JSON: {error}", path) from None
    try:
        made = sum(int(cell["achieved"]) for cell in data["cells"])
        clips = {name: int(n) for name, n in data["clips"].items() if name.startswith("clips_")}
        acceptance = clips["clips_accepted"] / sum(clips.values())
        per_hour = 3600 * made / float(data["elapsed_s"]) / acceptance
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UserError(f"cells, clips and elapsed_s are required to measure the rate from; {error} is wrong or missing", path) from None
    except ZeroDivisionError:
        raise UserError("the run has accepted nothing yet: its rate is unknown", path) from None
    if not made:
        raise UserError("the run has accepted nothing yet: its rate is unknown", path)
    return {"rate_per_hour": per_hour, "acceptance": acceptance}
