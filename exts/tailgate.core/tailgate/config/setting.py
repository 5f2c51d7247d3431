"""One setting: a distribution with a role."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from tailgate.config.load import Model
from tailgate.distributions import Distribution

Role = Literal["nuisance", "calibrated", "pinned"]


class Setting(Model):
    """One parameter's distribution.

    ``nuisance`` settings stay wide (feedback keeps at least 25 % of the bounds' width); ``calibrated`` ones may narrow to an estimate; ``pinned``
    ones are never moved by feedback.
    """

    dist: Distribution
    role: Role = "nuisance"
    why: str = ""


def to_plain(settings: Mapping[str, Setting]) -> dict[str, Any]:
    """Settings by address as plain data, sorted."""
    return {a: s.model_dump(mode="json", exclude_none=True) for a, s in sorted(settings.items())}


def from_plain(data: Mapping[str, Any]) -> dict[str, Setting]:
    """Rebuild settings from ``to_plain``."""
    return {a: Setting.model_validate(s) for a, s in data.items()}
