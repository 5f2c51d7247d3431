"""Semantic labels on prims: one helper over ``UsdSemantics.LabelsAPI`` (OpenUSD 24.11 on) and its plain-attribute form before that.

Both forms write the same opinions: the applied schema ``SemanticsLabelsAPI:<taxonomy>`` and the token array
``semantics:labels:<taxonomy>``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pxr import Usd

SCHEMA = "SemanticsLabelsAPI"


def attribute_name(taxonomy: str) -> str:
    """Name of the attribute that holds the labels of a taxonomy."""
    return f"semantics:labels:{taxonomy}"


def set_labels(prim: Usd.Prim, taxonomy: str, labels: str | Sequence[str]) -> None:
    """Write the labels of ``prim`` in ``taxonomy`` at the stage's edit target, replacing earlier ones.

    Args:
        prim: a valid prim; descendants inherit its labels.
        taxonomy: such as "class".
        labels: one label or several.
    """
    values = [labels] if isinstance(labels, str) else list(labels)
    try:
        from pxr import UsdSemantics
    except ImportError:
        from pxr import Sdf

        prim.AddAppliedSchema(f"{SCHEMA}:{taxonomy}")
        prim.CreateAttribute(attribute_name(taxonomy), Sdf.ValueTypeNames.TokenArray, custom=False).Set(values)
        return
    UsdSemantics.LabelsAPI.Apply(prim, taxonomy).CreateLabelsAttr().Set(values)


def direct_labels(prim: Usd.Prim, taxonomy: str) -> list[str]:
    """Labels authored on ``prim`` itself, [] if none."""
    attribute = prim.GetAttribute(attribute_name(taxonomy))
    values = attribute.Get() if attribute and attribute.HasAuthoredValue() else None
    return [str(v) for v in values] if values else []


def get_label(prim: Usd.Prim, taxonomy: str) -> str | None:
    """First label of the nearest of ``prim`` and its ancestors that has one, or None."""
    while prim and not prim.IsPseudoRoot():
        labels = direct_labels(prim, taxonomy)
        if labels:
            return labels[0]
        prim = prim.GetParent()
    return None
