"""Tailgate: targeted synthetic training data, measured against real sensors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from tailgate.report.score_record import ScoreRecord

__version__ = "0.1.0"


def score(synthetic: str | Path, reference: str | Path, **options: Any) -> ScoreRecord:
    """Judge a folder of synthetic frames against a folder of real ones; ``options`` are the fields of ``runtime.score.ScoreRequest``."""
    from pathlib import Path

    from tailgate.runtime.score import ScoreRequest
    from tailgate.runtime.score import score as judge

    return judge(ScoreRequest(Path(synthetic), Path(reference), **options))
