"""Values that files give: of the kind that is meant, or as good as not given."""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING, Any

import numpy as np

from tailgate.stage.moment import moment

if TYPE_CHECKING:
    from pxr import Usd


def fits(value: Any, default: Any) -> bool:
    """Whether a value may stand where its default does: text, a finite number, or as many finite numbers."""
    if isinstance(default, str):
        return isinstance(value, str)
    if isinstance(default, (int, float)):
        return isinstance(value, (int, float)) and isfinite(value)
    try:
        return len(value) == len(default) and all(map(isfinite, value))
    except TypeError:
        return False


def components(value: Any) -> Any:
    """A vector of USD as a tuple, which Python walks through ten times faster; any other value itself."""
    if isinstance(value, (int, float, str)) or not hasattr(value, "dimension"):
        return value
    return tuple(value[:])


def kind_of(default: Any) -> str:
    """What a value that may stand where its default does is called."""
    if isinstance(default, str):
        return "text"
    return "a finite number" if isinstance(default, (int, float)) else f"{len(default)} finite numbers"


def array(attribute: Usd.Attribute, kind: type = np.float64, width: int = 0) -> np.ndarray:
    """Value of an array attribute at its stage's moment, [n] or [n, width]; empty if it has none or what it has is of another kind."""
    got = attribute.Get(moment(attribute)) if attribute else None
    shape = (0, width) if width else (0,)
    try:
        with np.errstate(invalid="ignore"):
            out = np.array([] if got is None else got, kind)
    except (TypeError, ValueError, OverflowError):
        return np.zeros(shape, kind)
    return out if out.ndim == len(shape) and out.shape[1:] == shape[1:] else np.zeros(shape, kind)
