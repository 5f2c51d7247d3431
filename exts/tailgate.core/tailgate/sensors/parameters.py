"""What the responses of devices share: dataclasses of numbers that are taken by name from drawn settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Self


class Parameters:
    """Base of a dataclass of numbers."""

    @classmethod
    def from_params(cls, params: Mapping[str, float]) -> Self:
        """Take what is this response's own of ``params``."""
        return cls(**{f.name: float(params[f.name]) for f in fields(cls) if f.name in params})
