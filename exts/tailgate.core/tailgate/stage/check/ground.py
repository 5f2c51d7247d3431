"""Is there something to stand on: below each context, or where contexts could be."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tailgate.geometry.queries import inside_solids
from tailgate.rng import rng
from tailgate.stage.check.finding import Finding, figure
from tailgate.stage.contexts import GROUND_SEARCH, Context
from tailgate.turns import breathe

if TYPE_CHECKING:
    from tailgate.stage.check.survey import Shape, Survey

SAMPLES = 512
"""Places looked at on a context."""
FAR = 100.0
"""Ground is sought this far above and below a context that has none near it [m]."""
TILT_DEG = 6.0
"""Ground that leans more than this is refused by objects of usual size (``SceneQueries.stands_flat`` allows 4 cm under the corners) [deg]."""
CLEAR_FROM, CLEAR_TO = 0.3, 1.7
"""Heights above the ground that must be free for a person to stand [m]."""
BREAST, STRIDE = 1.0, 0.5
"""A spline is followed at this height above the ground, in steps of this length [m]."""
TABLE_CLEAR = 0.3
"""Height that must be free above a surface on which nobody stands [m]."""
WIDE, LOW, RELIEF = 0.4, 0.4, 0.1
"""A floor covers this share of the scene seen from above, at most this share of its height, or of its length, above the lowest point."""
HANGS = 0.05
"""Heights of context and ground differ by less than this [m]."""


def check_ground(survey: Survey) -> list[Finding]:
    """Findings on what contexts stand on; without contexts on what could become one."""
    if not survey.shapes:
        return []
    if not survey.contexts:
        return suggestions(survey)
    return [finding for context in survey.contexts for finding in below(survey, context)]


def places(context: Context) -> np.ndarray:
    """Points spread over a context, the same every time, float64 [SAMPLES, 3] m."""
    return context.scatter(rng(0, "check", 0, 0, 0, "ground", context.path), SAMPLES)[0]


def below(survey: Survey, context: Context) -> list[Finding]:
    """Ground under one context: there, near, level, facing up, free above."""
    breathe()
    points = places(context)
    hits = survey.scene.trace(points + [0, 0, GROUND_SEARCH], np.tile([0.0, 0.0, -1.0], (len(points), 1)), 2 * GROUND_SEARCH)
    there = hits.instance >= 0
    if not there.any():
        return [hangs(survey, context, points)]
    height = points[there, 2] + GROUND_SEARCH - hits.t[there]
    normal = hits.normal[there, 2].astype(np.float64)
    tilt = np.degrees(np.arccos(np.clip(np.abs(normal), 0, 1)))
    found = []

    def say(severity: str, share: float, words: str, expected: str = "", mend: str = "") -> None:
        found.append(Finding("ground", severity, f"{100 * share:.0f} % of {title(context)} {words}", expected, mend, context.path))

    gap, steep, down = 1 - there.mean(), (tilt > TILT_DEG).mean(), (normal < 0).mean()
    offset = float(np.median(height - points[there, 2]))
    if gap > 0.02:
        size = "problem" if gap > 0.5 else "warning"
        say(size, gap, f"has no ground within {GROUND_SEARCH:g} m", "objects there would hang in the air", "move the context or close the gap")
    if abs(offset) > HANGS:
        words = f"{title(context)} lies {metres_of(offset)} the ground"
        found.append(Finding("ground", "note", words, mend="objects are set down on the ground", prim=context.path))
    if steep > 0.1:
        words = f"leans more than {TILT_DEG:g} degrees"
        say("problem" if steep > 0.9 else "warning", steep, words, "objects stand only where the ground is level within 4 cm")
    if down > 0.5:
        say("note", down, "lies on faces that look down", "other renderers and physics may see through them", "turn the mesh's orientation around")
    return [*found, *covered(survey, context, np.column_stack([points[there, :2], height])), *runs_through(survey, context, offset)]


def covered(survey: Survey, context: Context, ground: np.ndarray) -> list[Finding]:
    """Whether something stands in a context, or the context lies inside something: places [n, 3] on the ground."""
    table = not context.is_spline and not any(c.is_spline for c in survey.contexts)
    low, high = (0.02, TABLE_CLEAR) if table else (CLEAR_FROM, CLEAR_TO)
    start = ground + [0, 0, low]
    hits = survey.scene.trace(start, np.tile([0.0, 0.0, 1.0], (len(ground), 1)), high - low)
    within = inside_solids(survey.scene, start)
    share, buried = float(((hits.instance >= 0) | within).mean()), float(within.mean())
    if share <= 0.15:
        return []
    where = "lies inside a solid" if buried > share / 2 else f"has something less than {high:g} m above its ground"
    words = f"{100 * share:.0f} % of {title(context)} {where}"
    mend = "move the context out of it" if share > 0.9 else ""
    return [Finding("ground", "problem" if share > 0.9 else "warning", words, "nothing can be placed where a solid stands", mend, context.path)]


def runs_through(survey: Survey, context: Context, offset: float) -> list[Finding]:
    """Where the middle of a spline meets a wall or the like at breast height above the ground, which lies ``offset`` [m] above it."""
    if not context.is_spline:
        return []
    along = context.at(np.linspace(0, context.length, max(2, round(context.length / STRIDE))))[0] + [0, 0, offset + BREAST]
    met = survey.scene.trace(along[:-1], np.diff(along, axis=0), 1.0).instance >= 0
    if not met.any():
        return []
    x, y, _ = along[:-1][met][0]
    where = f"{met.sum()} place{'s' if met.sum() > 1 else ''}, first near x {x:.1f} m, y {y:.1f} m"
    words = f"{title(context)} runs through something solid in {where}"
    return [Finding("ground", "warning", words, "what moves along it would pass through walls", "lead the curve around it", context.path)]


def hangs(survey: Survey, context: Context, points: np.ndarray) -> Finding:
    """A context without any ground near it: how far the next ground is."""
    down = np.tile([0.0, 0.0, -1.0], (len(points), 1))
    hits = survey.scene.trace(points + [0, 0, FAR], down, 2 * FAR)
    met = hits.instance >= 0
    away = f"the ground is {metres_of(float(np.median(hits.t[met] - FAR)))} it" if met.any() else f"there is none within {FAR:g} m"
    return Finding(
        "ground", "problem", f"{title(context)} has no ground within {GROUND_SEARCH:g} m anywhere: {away}", "objects stand on what is shown",
        "move the context onto the ground", context.path,
    )  # fmt: skip


def metres_of(offset: float) -> str:
    """A height difference in words: «0.20 m above»."""
    return f"{abs(offset):.2f} m {'below' if offset > 0 else 'above'}"


def title(context: Context) -> str:
    """A context, for messages."""
    return f"the {context.kind}{f' {context.name}' if context.name != context.kind else ''}"


def suggestions(survey: Survey) -> list[Finding]:
    """The shape that looks most like a floor, as what a context could be made of; without one the stage looks like an asset."""
    floor = likely_floor(survey)
    if floor is not None:
        words = f"this looks like the ground: {figure(floor.level)} m² that face up at a height of {round(floor.height, 2) + 0.0:.2f} m"
        return [Finding("ground", "note", words, prim=floor.path)]
    words = "nothing in the stage is wide, low and level"
    file = survey.stage.GetRootLayer().realPath or "FILE"
    mend = f"if it is a model rather than a scene, use it for a class of a budget: ontology: {{CLASS: {{asset: CLASS, usd: {file}}}}}"
    return [Finding("ground", "warning", words, "objects need something to stand on", mend)]


def likely_floor(survey: Survey) -> Shape | None:
    """The lowest of the shapes that face up on at least a third of the largest such area; None if it is narrow or high up, as of a model."""
    most = max((s.level for s in survey.together), default=0.0)
    floor = min((s for s in survey.together if s.level > 0 and s.level >= most / 3), key=lambda s: s.height, default=None)
    low, high = survey.bounds
    wide = floor is not None and floor.level >= WIDE * float(np.prod((high - low)[:2]))
    near = max(LOW * (high[2] - low[2]), RELIEF * float(np.max((high - low)[:2])))
    return floor if wide and floor.height - low[2] <= near + 1e-6 else None
