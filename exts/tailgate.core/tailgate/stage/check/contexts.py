"""Contexts of a stage: whether there are any, and whether their lengths and widths make sense."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np

from tailgate.errors import UserError
from tailgate.stage.check.finding import Finding, mark
from tailgate.stage.check.ground import likely_floor, title
from tailgate.stage.contexts import CONTEXT_KINDS, WIDTH, Context
from tailgate.stage.labels import get_label
from tailgate.stage.marks import mark_context

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

KIND_OF = {
    **dict.fromkeys(("road", "street", "lane", "driveway", "carriageway"), "lane"),
    **dict.fromkeys(("sidewalk", "footpath", "footway", "walkway"), "sidewalk"),
    **dict.fromkeys(("crosswalk", "zebra_crossing"), "crosswalk"),
    **dict.fromkeys(("parking", "parking_space", "parking_lot"), "parking"),
    "aisle": "aisle",
}
"""Kind of context by a mesh's label."""
PROPOSED = 4
"""So many marks are proposed at most."""


def none_found(stage: Usd.Stage, marks: Sequence[str] = ("/PATH/TO/CURVE=lane",)) -> Finding:
    """What a run says of a base scene without contexts; ``marks``: prims that could become some, and of what kind."""
    kinds, options = ", ".join(CONTEXT_KINDS), " ".join(f"--context {one}" for one in marks)
    return Finding(
        "contexts", "problem", "the stage has no context, so objects have no place to stand", f"at least one curve or mesh must be marked ({kinds})",
        f"mark {'some' if marks[1:] else 'one'} with: {mark(stage, options)}",
    )  # fmt: skip


def proposed(survey: Survey) -> list[str]:
    """What could be marked, as ``--context`` takes it: meshes whose labels say what they are, the largest first, else what looks like the ground."""
    from pxr import Sdf

    marks: list[str] = []
    for shape in sorted(survey.together, key=lambda s: -s.level):
        prim = survey.stage.GetPrimAtPath(shape.path)
        kind = KIND_OF.get(re.sub(r"[\s.\-]+", "_", (get_label(prim, "class") or "").strip().lower()))
        if len(marks) == PROPOSED:
            break
        if kind and shape.level > 0:
            with suppress(UserError):
                mark_context(survey.stage, shape.path, kind, Sdf.Layer.CreateAnonymous())
                marks.append(f"{shape.path}={kind}")
    floor = likely_floor(survey)
    return marks or ([f"{floor.path}=surface"] if floor else [])


def check_contexts(survey: Survey) -> list[Finding]:
    """Findings on the contexts themselves; what they stand on is ``ground``'s."""
    stage, contexts = survey.stage, survey.contexts
    if not contexts:
        marks = proposed(survey)
        return [none_found(stage, marks) if marks else none_found(stage)]
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
