"""Light linking: which parts of a stage a light shines on (UsdLux, ``collection:lightLink``)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from pxr import Usd

    from tailgate.stage.walk import Notes

SETS = 31
"""Different sets of parts that lights may be linked to: bits of an int32."""


@dataclass(frozen=True, eq=False)
class Links:
    """Sets of parts, one bit each.

    Attributes:
        of_light: bit of a light's set by the light's path; lights that shine on everything are left out.
        of_slot: bits of the sets that each slot's part is in, int32 [S]; empty where no light is linked.
    """

    of_light: dict[str, int]
    of_slot: np.ndarray


NO_LINKS = Links({}, np.zeros(0, np.int32))


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
    from pxr import Sdf, UsdLux

    lights = [prim for prim in lights if linked(prim, "lightLink")]
    paths = [Sdf.Path(path) for path in slot_prims] if lights else []
    bits: dict[bytes, int] = {}
    of_light, of_slot = {}, np.zeros(len(paths), np.int32)
    for prim in lights:
        query = UsdLux.LightAPI(prim).GetLightLinkCollectionAPI().ComputeMembershipQuery()
        inside = np.array([query.IsPathIncluded(path) for path in paths], bool)
        if inside.tobytes() not in bits and len(bits) == SETS:
            notes.add(f"light {prim.GetPath()}: it lights everything, lights may be linked to {SETS} different sets of shapes and there are more")
        elif not inside.all():
            of_light[str(prim.GetPath())] = bit = bits.setdefault(inside.tobytes(), 1 << len(bits))
            of_slot |= np.where(inside, bit, 0).astype(np.int32)
    return Links(of_light, of_slot) if of_light else NO_LINKS
