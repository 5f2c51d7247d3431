"""Contexts of a stage: whether there are any, and whether their lengths and widths make sense."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tailgate.stage.check.finding import Finding, mark
from tailgate.stage.check.ground import likely_floor, title
from tailgate.stage.contexts import CONTEXT_KINDS, WIDTH, Context

if TYPE_CHECKING:
    from pxr import Usd

    from tailgate.stage.check.survey import Survey

WIDTHS = {"lane": (2.0, 8.0), "parking": (1.8, 6.0), "sidewalk": (0.8, 20.0), "crosswalk": (1.5, 12.0), "aisle": (0.7, 15.0), "ego": (0.3, 10.0)}
"""Plausible widths of splines [m]."""
SHORT = 2.0
"""A spline shorter than this holds no object [m]."""
STEEP = 0.35
"""Rise over run that no road or ramp exceeds."""
RIG_PATHS = ("ego", "lane", "aisle")
"""Kinds that carry a rig that drives."""


def none_found(stage: Usd.Stage, floor: str = "") -> Finding:
    """What a run says of a base scene without contexts; ``floor``: path of a mesh that could become one."""
    kinds = ", ".join(CONTEXT_KINDS)
    return Finding(
        "contexts", "problem", "the stage has no context, so objects have no place to stand", f"at least one curve or mesh must be marked ({kinds})",
        f"mark one with: {mark(stage, f'--context {floor}=surface' if floor else '--context /PATH/TO/CURVE=lane')}",
    )  # fmt: skip


def check_contexts(survey: Survey) -> list[Finding]:
    """Findings on the contexts themselves; what they stand on is ``ground``'s."""
    stage, contexts = survey.stage, survey.contexts
    if not contexts:
        floor = likely_floor(survey)
        return [none_found(stage, floor.path if floor else "")]
    found = []
    if all(c.kind == "ego" for c in contexts):
        words = "the only context is the rig's own path"
        found.append(Finding("contexts", "problem", words, "objects need a context of another kind", "mark a lane, sidewalk, aisle or surface"))
    if not any(c.kind in RIG_PATHS and c.is_spline for c in contexts):
        words = "no spline carries the rig (ego, lane or aisle)"
        mend = "mark a curve as ego for a rig that drives"
        found.append(Finding("contexts", "note", words, "the rig looks at a surface from around it (camera.rig_pose in orbit)", mend))
    for context in contexts:
        found += spline(stage, context) if context.is_spline else surface(context)
    return found


def spline(stage: Usd.Stage, context: Context) -> list[Finding]:
    """Length, width and slope of one spline."""
    found = []

    def say(severity: str, words: str, expected: str, mend: str = "") -> None:
        found.append(Finding("contexts", severity, f"{title(context)} {words}", expected, mend, context.path))

    low, high = WIDTHS.get(context.kind, (0.3, 30.0))
    if not stage.GetPrimAtPath(context.path).HasAttribute(WIDTH):
        say("warning", f"has no {WIDTH}", f"{context.width:g} m is taken", f"set {WIDTH} [m]")
    elif not low <= context.width <= high:
        say("warning", f"is {context.width:.3g} m wide", f"{low:g} to {high:g} m are usual", f"{WIDTH} is in metres, whatever the stage's unit is")
    if context.length < SHORT and context.kind != "ego":
        say("warning", f"is {context.length:.2g} m long", f"objects need {SHORT:g} m and more")
    step = np.diff(context.points, axis=0)
    rise = np.abs(step[:, 2]).sum() / max(float(np.linalg.norm(step[:, :2], axis=1).sum()), 1e-9)
    if rise > STEEP:
        say("problem", f"rises {100 * rise:.0f} % of its length", "contexts run along the ground", "check the up axis of the curve")
    return found


def surface(context: Context) -> list[Finding]:
    """Area of one surface."""
    if context.area >= 0.05:
        return []
    words = f"{title(context)} has {1e4 * context.area:.3g} cm² to stand on"
    return [Finding("contexts", "warning", words, "even a mug needs more", "check the unit of the stage", context.path)]


def describe(context: Context) -> dict[str, Any]:
    """One context as plain data: where it is, how long or large, and which way things on it face."""
    first, last = context.points[0], context.points[-1]
    own = {"name": context.name, "kind": context.kind, "path": context.path, "area_m2": round(context.area, 2)}
    if not context.is_spline:
        return {**own, "form": "surface", "heading": "any"}
    heading = float(np.degrees(np.arctan2(last[1] - first[1], last[0] - first[0])))
    return {**own, "form": "spline", "length_m": round(context.length, 2), "width_m": round(context.width, 3), "heading": f"{heading:.0f} deg"}
