"""Semantic labels on prims: one helper over ``UsdSemantics.LabelsAPI`` (OpenUSD 24.11 on) and its plain-attribute form before that.

Both forms write the same opinions: the applied schema ``SemanticsLabelsAPI:<taxonomy>`` and the token array
``semantics:labels:<taxonomy>``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from tailgate.turns import breathe

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
    breathe()
    attribute = None if prim.IsPseudoRoot() else prim.GetAttribute(attribute_name(taxonomy))
    values = attribute.Get() if attribute and attribute.HasAuthoredValue() else None
    return [values] if isinstance(values, str) else [str(v) for v in values] if isinstance(values, Iterable) else []


def get_label(prim: Usd.Prim, taxonomy: str) -> str | None:
    """First label of the nearest of ``prim`` and its ancestors that has one, or None."""
    while prim and not prim.IsPseudoRoot():
        labels = direct_labels(prim, taxonomy)
        if labels:
            return labels[0]
        prim = prim.GetParent()
    return None


def old_labels(prim: Usd.Prim, taxonomy: str) -> list[str]:
    """Labels authored on ``prim`` by the older ``SemanticsAPI`` (attributes ``semantic:<name>:params:semanticType`` and ``semanticData``)."""
    found = []
    for name in prim.GetPropertyNames():
        if name.startswith("semantic:") and name.endswith(":params:semanticType") and str(prim.GetAttribute(name).Get()) == taxonomy:
            data = prim.GetAttribute(name.replace("semanticType", "semanticData"))
            found.append(str(data.Get()) if data and data.Get() else "")
    return [label for label in found if label]


def stage_labels(stage: Usd.Stage, taxonomy: str) -> list[str]:
    """First label of every labelled prim, those in instances and prototypes included, each once, sorted."""
    return sorted({label for prim in every_prim(stage) for label in direct_labels(prim, taxonomy)[:1]})


def every_prim(stage: Usd.Stage) -> list[Usd.Prim]:
    """All active, loaded prims, those in instances and prototypes included."""
    from pxr import Usd

    found = []
    for prim in Usd.PrimRange(stage.GetPseudoRoot(), Usd.TraverseInstanceProxies(Usd.PrimIsActive & Usd.PrimIsLoaded)):
        breathe()
        found.append(prim)
    return found[1:]
