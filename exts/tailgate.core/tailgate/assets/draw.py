"""Named draws of one asset variant: each parameter has a stream of its own, so fixing one moves no other."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tailgate.errors import UserError, unknown
from tailgate.rng import rng

Color = tuple[float, float, float]


class Draw:
    """Draws parameters of one variant; values in ``overrides`` replace draws and must lie in the parameter's range.

    Args:
        asset_class: name of the class, part of every stream's address.
        seed: the variant's seed.
        overrides: parameter name -> value.
        kind: what ``asset_class`` names, for error messages.
    """

    def __init__(self, asset_class: str, seed: int, overrides: Mapping[str, Any] | None = None, kind: str = "asset class"):
        self.asset_class, self.seed, self.kind = asset_class, seed, kind
        self.overrides = dict(overrides or {})
        self.used: dict[str, Any] = {}

    def stream(self, name: str) -> np.random.Generator:
        """A generator of its own for details that are no parameter."""
        return rng(self.seed, "assets", 0, 0, 0, self.asset_class, name)

    def real(self, name: str, low: float, high: float, typical: float | None = None) -> float:
        """A real number in [low, high]: triangular about ``typical``, or uniform."""
        if name in self.overrides:
            return self._keep(name, self._number(name, low, high))
        stream = self.stream(name)
        return self._keep(name, float(stream.uniform(low, high) if typical is None else stream.triangular(low, typical, high)))

    def integer(self, name: str, low: int, high: int) -> int:
        """A whole number in [low, high]."""
        if name in self.overrides:
            value = self._number(name, low, high)
            if value != int(value):
                raise UserError(f"{self._label(name)} must be a whole number, got {value!r}")
            return self._keep(name, int(value))
        return self._keep(name, int(self.stream(name).integers(low, high + 1)))

    def choice(self, name: str, options: Sequence[str], weights: Sequence[float] | None = None) -> str:
        """One of ``options``."""
        if name in self.overrides:
            if self.overrides[name] not in options:
                raise unknown(f"value of {self._label(name)}", str(self.overrides[name]), options)
            return self._keep(name, self.overrides[name])
        p = None if weights is None else np.asarray(weights, float) / np.sum(weights)
        return self._keep(name, options[int(self.stream(name).choice(len(options), p=p))])

    def chance(self, name: str, probability: float) -> bool:
        """True with the given probability."""
        if name in self.overrides:
            if not isinstance(self.overrides[name], bool):
                raise UserError(f"{self._label(name)} must be true or false, got {self.overrides[name]!r}")
            return self._keep(name, self.overrides[name])
        return self._keep(name, bool(self.stream(name).random() < probability))

    def color(self, name: str, palette: Sequence[Color], weights: Sequence[float] | None = None, jitter: float = 0.04) -> Color:
        """A linear RGB colour of the palette, each channel moved by up to ``jitter``."""
        if name in self.overrides:
            value = self.overrides[name]
            if not isinstance(value, list | tuple) or len(value) != 3 or not all(_is_number(v) and 0 <= v <= 1 for v in value):
                raise UserError(f"{self._label(name)} must be three numbers in 0..1 (linear RGB), got {value!r}")
            return self._keep(name, tuple(float(v) for v in value))
        stream = self.stream(name)
        p = None if weights is None else np.asarray(weights, float) / np.sum(weights)
        base = np.asarray(palette[int(stream.choice(len(palette), p=p))])
        return self._keep(
            name,
            tuple(float(v) for v in np.clip(base * (1 + stream.uniform(-4, 4) * jitter) + stream.uniform(-jitter, jitter, 3) * 0.5, 0.004, 0.95)),
        )

    def finish(self) -> None:
        """Raise UserError for an override that no draw asked for."""
        for name in self.overrides:
            if name not in self.used:
                raise unknown(f"parameter of {self.kind} '{self.asset_class}'", name, self.used)

    def _keep(self, name: str, value: Any) -> Any:
        self.used[name] = value
        return value

    def _label(self, name: str) -> str:
        return f"parameter '{name}' of {self.kind} '{self.asset_class}'"

    def _number(self, name: str, low: float, high: float) -> float:
        value = self.overrides[name]
        if not _is_number(value) or not low <= value <= high:
            raise UserError(f"{self._label(name)} must be a number from {low:g} to {high:g}, got {value!r}")
        return float(value)


def plain(kind: str, name: str, overrides: Mapping[str, Any] | None) -> dict[str, Any]:
    """A copy of ``overrides``, once they are known to be plain JSON data; else UserError."""
    try:
        json.dumps(dict(overrides or {}), sort_keys=True, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise UserError(f"parameters of {kind} '{name}' must be finite numbers, names, true/false or lists of them, got {overrides!r}") from error
    return dict(overrides or {})


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and bool(np.isfinite(value))
