"""Check a stage that a user brings: ground, units, labels, contexts, light, and what is broken. Nothing is written to it, and nothing printed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tailgate.errors import UserError
from tailgate.stage.check.finding import SEVERITIES, TOPICS, Finding, StageReport, in_order

if TYPE_CHECKING:
    from pxr import Usd

__all__ = ["SEVERITIES", "TOPICS", "Finding", "StageReport", "check_stage"]


def check_stage(stage: Usd.Stage) -> StageReport:
    """Everything that can be said of a stage without a scenario.

    Args:
        stage: an open stage, of a file or of Kit. It is read at its moment; layers, edit target and selection stay as they are.

    Returns:
        What it holds and what was found.
    """
    from tailgate.stage.check.content import (
        check_cameras,
        check_composition,
        check_geometry,
        check_lights,
        check_renderer,
        check_textures,
    )
    from tailgate.stage.check.contexts import check_contexts
    from tailgate.stage.check.ground import check_ground
    from tailgate.stage.check.labels import check_labels
    from tailgate.stage.check.survey import Survey
    from tailgate.stage.check.units import check_units
    from tailgate.stage.contexts import read_contexts

    refused: list[Finding] = []
    try:
        contexts = read_contexts(stage)
    except UserError as error:
        contexts, refused = (), [Finding("contexts", "problem", error.message)]
    survey = Survey(stage, contexts)
    findings = [
        *refused,
        *check_composition(stage),
        *check_units(survey),
        *check_geometry(survey),
        *check_ground(survey),
        *(check_contexts(survey) if not refused else ()),
        *check_labels(survey),
        *check_lights(survey),
        *check_cameras(stage),
        *check_textures(survey),
        *check_renderer(survey),
    ]
    return StageReport(stage.GetRootLayer().identifier, facts_of(survey), in_order(findings))


def facts_of(survey: Any) -> dict[str, Any]:
    """What a stage holds, as plain data; lengths in metres with z up."""
    from pxr import UsdGeom

    from tailgate.stage.cameras import stage_cameras
    from tailgate.stage.check.content import shining
    from tailgate.stage.check.contexts import describe
    from tailgate.stage.check.ground import likely_floor

    low, high = survey.bounds
    floor = likely_floor(survey)
    return {
        "meters_per_unit": float(UsdGeom.GetStageMetersPerUnit(survey.stage)),
        "up_axis": str(UsdGeom.GetStageUpAxis(survey.stage)),
        "low_m": [float(f"{v:.7g}") for v in low],
        "size_m": [float(f"{v:.4g}") if v < 1 else round(float(v), 4) for v in high - low],
        "shapes": len(survey.shapes),
        "triangles": sum(s.triangles for s in survey.shapes),
        "triangles_shown": sum(s.triangles * s.copies for s in survey.shapes),
        "classes": survey.classes,
        "contexts": [describe(c) for c in survey.contexts],
        "cameras": stage_cameras(survey.stage),
        "floor": {"path": floor.path, "height_m": round(floor.height, 3)} if floor else None,
        "lights": shining(survey),
    }
