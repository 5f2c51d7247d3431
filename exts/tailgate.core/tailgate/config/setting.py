"""One setting: a distribution with a role."""

from __future__ import annotations

from typing import Literal

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
