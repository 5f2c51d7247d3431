"""Semantic labels: what is labelled, what other renderers will not see, and labels of the old kind."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING

from tailgate.stage.check.finding import Finding, mark
from tailgate.stage.labels import SCHEMA, direct_labels, every_prim, old_labels

if TYPE_CHECKING:
    from pxr import Usd

    from tailgate.stage.check.survey import Survey

UNLABELLED = 0.5
"""Share of the shown area without a class above which it is said."""


def check_labels(survey: Survey) -> list[Finding]:
    """Findings on the labels of the taxonomy ``class``."""
    flaws: dict[tuple[str, ...], list[str]] = defaultdict(list)
    seen, old = 0, 0
    for prim in every_prim(survey.stage):
        labels = direct_labels(prim, "class")
        older = old_labels(prim, "class")
        seen, old = seen + bool(labels), old + bool(older)
        for flaw in prim_flaws(prim, labels, older):
            flaws[flaw].append(str(prim.GetPath()))
    found = [
        Finding("labels", severity, words, expected, mend, first, tuple(others))
        for (severity, words, expected, mend), (first, *others) in sorted((flaw, sorted(paths)) for flaw, paths in flaws.items())
    ]
    return [*found, *share(survey, seen, old)]


def prim_flaws(prim: Usd.Prim, labels: list[str], older: list[str]) -> list[tuple[str, str, str, str]]:
    """Flaws of one prim's labels: (severity, found, expected, mend)."""
    out = []
    if labels and (len(labels) > 1 or "," in labels[0]):
        words = f"holds several classes ({', '.join(labels)})"
        out.append(("warning", words, "a prim is one thing; the first label counts here, other tools join all", "leave one"))
    if older and not labels:
        words = f"is labelled '{older[0]}' by the old SemanticsAPI, which is not read"
        out.append(("warning", words, f"labels are held by {SCHEMA}", f"convert with: {mark(prim.GetStage(), '--upgrade-labels')}"))
    if labels and prim.IsInstanceProxy():
        words = "is labelled inside an instance"
        out.append(("warning", words, "it counts here, Isaac Sim ignores it", "label the instance itself or make it not instanceable"))
    elif labels and under_instancer(prim):
        words = "is labelled below a PointInstancer"
        out.append(("warning", words, "it counts here, Isaac Sim does not always honour it", "label the PointInstancer itself"))
    other = [name for name in taxonomies(prim) if name != "class"]
    if other and not labels:
        out.append(("note", f"has labels of '{other[0]}' alone", "only those of 'class' count", ""))
    return out


def under_instancer(prim: Usd.Prim) -> bool:
    """Whether a prim lies below a PointInstancer, as its prototypes often do."""
    parent = prim.GetParent()
    while parent and not parent.IsPseudoRoot():
        if parent.GetTypeName() == "PointInstancer":
            return True
        parent = parent.GetParent()
    return False


def taxonomies(prim: Usd.Prim) -> list[str]:
    """Taxonomies that a prim has labels of."""
    found = (re.fullmatch(r"semantics:labels:(\w+)", name) for name in prim.GetPropertyNames())
    return sorted(match[1] for match in found if match)


def share(survey: Survey, seen: int, old: int) -> list[Finding]:
    """How much of what is shown has a class."""
    total = sum(s.area * s.copies for s in survey.shapes)
    labelled = sum(s.labelled * s.copies for s in survey.shapes)
    if total <= 0 or (old and not seen):
        return []
    mend = f"label with: {mark(survey.stage, '--label /PATH/TO/PRIM=class')}"
    if not seen:
        words = "nothing in the stage carries a class"
        return [Finding("labels", "warning", words, "only the objects that Tailgate places will be labelled, all else is background", mend)]
    missing = 1 - labelled / total
    if missing < UNLABELLED:
        return []
    worst = max(survey.shapes, key=lambda s: (s.area - s.labelled) * s.copies)
    words = f"{100 * missing:.0f} % of the shown area carries no class and is background, most of it in {worst.path}"
    return [Finding("labels", "note", words, mend=mend)]
