"""Light linking: which parts of a stage a light shines on, and which throw its shadow (UsdLux, ``collection:lightLink`` and ``shadowLink``)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from pxr import Usd

    from tailgate.stage.walk import Notes

SETS = 31
"""Different sets of parts that lights may be linked to: bits of an int32."""
NOTHING = -(2**31)
"""The bit that no part has."""


@dataclass(frozen=True, eq=False)
class Links:
    """Sets of parts, one bit each.

    Attributes:
        lit: bit of what a light shines on, by the light's path; lights that shine on everything are left out.
        casting: likewise of what throws its shadow.
        of_slot: bits of the sets that each slot's part is in, int32 [S]; empty where no light is linked.
    """

    lit: dict[str, int]
    casting: dict[str, int]
    of_slot: np.ndarray


NO_LINKS = Links({}, {}, np.zeros(0, np.int32))


def linked(prim: Usd.Prim, name: str) -> bool:
    """Whether a light's collection ``lightLink`` or ``shadowLink`` says more than its fallback, which is everything."""
    root = prim.GetAttribute(f"collection:{name}:includeRoot")
    expression = prim.GetAttribute(f"collection:{name}:membershipExpression")
    excludes = prim.GetRelationship(f"collection:{name}:excludes")
    return bool((root and root.Get() is False) or (expression and expression.HasAuthoredValue()) or (excludes and excludes.HasAuthoredTargets()))


def light_links(lights: list[Usd.Prim], slot_prims: list[str], notes: Notes) -> Links:
    """What the lights of a stage are linked to.

    Args:
        lights: lights that are honoured.
        slot_prims: path of the shape or subset behind each slot, [S].
        notes: sets beyond ``SETS`` are named here.
    """
    from pxr import Sdf, Usd

    uses = [(prim, name) for prim in lights for name in ("lightLink", "shadowLink") if linked(prim, name)]
    paths = [Sdf.Path(path) for path in slot_prims] if uses else []
    bits: dict[bytes, int] = {np.zeros(len(paths), bool).tobytes(): NOTHING}
    found: dict[str, dict[str, int]] = {"lightLink": {}, "shadowLink": {}}
    of_slot = np.zeros(len(paths), np.int32)
    for prim, name in uses:
        query = Usd.CollectionAPI(prim, name).ComputeMembershipQuery()
        inside = np.array([query.IsPathIncluded(path) for path in paths], bool)
        if inside.tobytes() not in bits and len(bits) > SETS:
            says = "it lights everything, lights" if name == "lightLink" else "everything throws its shadow, lights and shadows"
            notes.add(f"light {prim.GetPath()}: {says} may be linked to {SETS} different sets of shapes and there are more")
        elif not inside.all():
            found[name][str(prim.GetPath())] = bit = bits.setdefault(inside.tobytes(), 1 << len(bits) - 1)
            of_slot |= np.where(inside, bit, 0).astype(np.int32)
    return Links(found["lightLink"], found["shadowLink"], of_slot) if found["lightLink"] or found["shadowLink"] else NO_LINKS
