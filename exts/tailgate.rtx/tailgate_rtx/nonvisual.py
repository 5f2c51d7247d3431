"""What RTX LiDARs see of a material: the non-visual attributes that belong to its look.

Names of bases, coatings and attributes are those of omni.sensors.nv.materials (48 bases). The base comes from what the material or the asset's part
is called, then from how it reflects; paint lies on metal and plastic, retroreflectors and lamps say what they are.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tailgate.stage.materials import Surface

if TYPE_CHECKING:
    from pxr import Usd

PREFIX = "omni:simready:nonvisual"
PREFIX_SETTING = "/rtx/materialDb/nonVisualMaterialSemantics/prefix"
NAMES = {
    "asphalt": "asphalt road bitumen",
    "concrete": "concrete cement paving sidewalk kerb curb plaster",
    "brick": "brick",
    "stone": "stone",
    "marble": "marble",
    "gravel": "gravel",
    "dirt": "dirt soil earth",
    "mud": "mud",
    "leaf_grass": "grass leaf leaves foliage hedge",
    "bark": "bark trunk",
    "wood": "wood timber pallet",
    "cardboard": "cardboard carton",
    "paper": "paper",
    "fabric": "cloth fabric textile denim wool",
    "leather": "leather",
    "skin": "skin",
    "fur_hair": "hair fur",
    "rubber": "rubber tyre tire",
    "plastic": "plastic lamp retro",
    "vinyl": "vinyl",
    "nylon": "nylon",
    "fiberglass": "fiberglass",
    "carbon_fiber": "carbon",
    "plexiglass": "plexiglass",
    "clear_glass": "glass window",
    "mirror": "mirror",
    "ceramic_glass": "ceramic",
    "steel": "steel metal paint",
    "iron": "iron",
    "oxidized_iron": "rust",
    "aluminum": "aluminum aluminium chrome sign",
    "silver": "silver",
    "brass": "brass",
    "bronze": "bronze",
    "tin": "tin",
    "water": "water",
    "snow": "snow",
    "ice": "ice",
}
"""Base -> words in the names of materials made of it; paint lies on steel unless another word says on what."""
WORDS = {word: base for base, words in NAMES.items() for word in words.split()}
METALS = ("aluminum", "steel", "iron", "silver", "brass", "bronze", "tin")
METALLIC = 0.5
"""Metallic from which an unnamed surface counts as metal."""


def nonvisual(name: str, surface: Surface) -> tuple[str, str, str]:
    """Base, coating and attribute of a material by its name and its look."""
    words = [w for w in re.split(r"[^a-z]+", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()) if w]
    base = next((WORDS[w] for w in sorted(words, key="paint".__eq__) if w in WORDS), None)
    if base is None:
        base = "steel" if surface.metallic >= METALLIC else "plastic"
    coating = "paint" if "paint" in words and base in (*METALS, "plastic") else "none"
    if surface.reflectance > 1.0 or "retro" in words:
        return base, coating, "retroreflective"
    return base, coating, "emissive" if any(c > 0 for c in surface.emissive) else "none"


def attributes_of(prim: Usd.Prim, surface: Surface, prefix: str) -> dict[str, str]:
    """Attributes that a material lacks, by name; none where somebody has said already what it is."""
    held = prim.GetAttribute(f"{prefix}:base")
    if held and held.HasAuthoredValue():
        return {}
    return {f"{prefix}:{name}": word for name, word in zip(("base", "coating", "attributes"), nonvisual(prim.GetName(), surface), strict=True)}
