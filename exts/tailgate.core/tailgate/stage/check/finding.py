"""What a check of a stage says: findings by topic and severity, what the stage holds, and a verdict."""

from __future__ import annotations

import shlex
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from tailgate.stage.walk import listed

if TYPE_CHECKING:
    from pxr import Usd

TOPICS = ("composition", "units", "geometry", "ground", "contexts", "labels", "lights", "cameras", "textures", "renderer", "scenario")
SEVERITIES = ("problem", "warning", "note")
"""A problem stops a run or spoils its data; a warning may; a note is good to know."""


@dataclass(frozen=True)
class Finding:
    """One thing that a stage has or lacks.

    Attributes:
        topic: one of ``TOPICS``.
        severity: one of ``SEVERITIES``.
        found: what is there, a clause.
        expected: what a run needs, a clause; "" where that is plain.
        mend: what to do about it; "" where nothing need be done.
        prim: path of the prim it is about, "" for the stage.
        others: further prims it is about as well.
    """

    topic: str
    severity: Literal["problem", "warning", "note"]
    found: str
    expected: str = ""
    mend: str = ""
    prim: str = ""
    others: tuple[str, ...] = ()

    @property
    def where(self) -> str:
        """The prims it is about and a colon, "" for the stage."""
        return f"{listed((self.prim, *self.others))}: " if self.prim else ""

    @property
    def sentence(self) -> str:
        """All of it in one sentence, as ``check`` and ``generate`` say it."""
        return f"{self.where}{self.found}{f'; {self.expected}' * bool(self.expected)}{f' ({self.mend})' * bool(self.mend)}"


@dataclass(frozen=True)
class StageReport:
    """A check of one stage.

    Attributes:
        stage: identifier of its root layer.
        facts: what it holds, by name, plain data.
        findings: problems first, then warnings and notes; by topic within.
    """

    stage: str
    facts: dict[str, Any]
    findings: list[Finding] = field(default_factory=list)

    def of(self, severity: str) -> list[Finding]:
        """Findings of one severity."""
        return [f for f in self.findings if f.severity == severity]

    @property
    def ok(self) -> bool:
        """Whether a run can use the stage: there is no problem."""
        return not self.of("problem")

    @property
    def verdict(self) -> str:
        """One sentence for people."""
        problems, warnings = len(self.of("problem")), len(self.of("warning"))
        mended = [counted(n, word) for n, word in ((problems, "problem"), (warnings, "warning")) if n]
        return f"{'ready' if self.ok else 'not ready'}: {' and '.join(mended) or 'nothing to mend'}"

    def joined(self, more: list[Finding]) -> StageReport:
        """The same report with further findings."""
        return StageReport(self.stage, self.facts, in_order([*self.findings, *more]))

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        findings = [{**asdict(f), "sentence": f.sentence} for f in self.findings]
        return {"stage": self.stage, "ok": self.ok, "verdict": self.verdict, "facts": self.facts, "findings": findings}


def figure(value: float) -> str:
    """A number for people: three digits, or a whole one with its thousands apart."""
    return f"{value:,.0f}" if abs(value) >= 999.5 else f"{value:.3g}"


def counted(count: int, word: str) -> str:
    """A number of things: «1 shape», «1,200 shapes»."""
    return f"{count:,} {word}{'s' * (count != 1)}"


def in_order(findings: list[Finding]) -> list[Finding]:
    """By severity, then topic, then prim."""
    return sorted(findings, key=lambda f: (SEVERITIES.index(f.severity), TOPICS.index(f.topic), f.prim, f.found))


def mark(stage: Usd.Stage, what: str) -> str:
    """The command that mends a stage by an overlay."""
    layer = stage.GetRootLayer()
    return f"tailgate mark {'STAGE' if layer.anonymous else as_typed(layer.realPath or layer.identifier)} {what} -o NEW.usda"


def as_typed(file: str | Path) -> str:
    """A file as a command line takes it: as seen from the working folder where it lies in there, quoted where it must be."""
    here, whole = Path.cwd(), Path(file).resolve()
    return shlex.quote(str(whole.relative_to(here) if whole.is_relative_to(here) else file))
