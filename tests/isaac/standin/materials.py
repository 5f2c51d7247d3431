"""Non-visual materials: the attributes that RTX LiDARs read, and their ids."""

from __future__ import annotations

from typing import Any

import numpy as np

from .checks import behaves
from .settings import setting

BASES = (
    "none aluminum steel oxidized_steel iron oxidized_iron silver brass bronze oxidized_Bronze_Patina tin plastic fiberglass carbon_fiber vinyl "
    "plexiglass pvc nylon polyester clear_glass frosted_glass one_way_mirror mirror ceramic_glass asphalt concrete leaf_grass dead_leaf_grass rubber "
    "wood bark cardboard paper fabric skin fur_hair leather marble brick stone gravel dirt mud water salt_water snow ice calibration_lambertion"
).split()
COATINGS = ["none", "paint", "clearcoat", "paint_clearcoat"]
ATTRIBUTES = {"none": 0, "emissive": 1, "retroreflective": 2, "single_sided": 4, "visually_transparent": 8}
PREFIX = "/rtx/materialDb/nonVisualMaterialSemantics/prefix"


def _prefix() -> str:
    return setting(PREFIX) or "omni:simready:nonvisual"


def encoded(prim: Any) -> int:
    """Id of a Material prim: base | coating << 8 | attribute << 11; unknown words count as none."""
    words = {}
    for name in ("base", "coating", "attributes"):
        held = prim.GetAttribute(f"{_prefix()}:{name}")
        value = held.Get() if held else None
        words[name] = [str(v) for v in value] if value is not None and not isinstance(value, str) else [str(value)] if value else ["none"]
    lowered = [b.lower() for b in BASES]
    base = lowered.index(words["base"][0].lower()) if words["base"][0].lower() in lowered else 0
    coating = COATINGS.index(words["coating"][0]) if words["coating"][0] in COATINGS else 0
    bits = 0
    for word in words["attributes"]:
        bits |= ATTRIBUTES.get(word, 0)
    return base | coating << 8 | bits << 11


def decoded(number: int) -> tuple[str, str, str]:
    """Base, coating and attribute of an id."""
    base, coating, bits = number & 255, number >> 8 & 7, number >> 11
    attribute = next((name for name, bit in ATTRIBUTES.items() if bit == bits), "none")
    return (BASES[base] if base < len(BASES) else "none"), (COATINGS[coating] if coating < 4 else "none"), attribute


def write(prim: Any, base: str, coating: str, attribute: str) -> None:
    """Write the attributes of a Material prim."""
    from pxr import Sdf

    if prim.GetTypeName() != "Material":
        raise ValueError(f"{prim.GetPath()} must be a Material, got {prim.GetTypeName() or 'an untyped prim'}")
    for name, word, known in (("base", base, BASES), ("coating", coating, COATINGS), ("attributes", attribute, list(ATTRIBUTES))):
        if word not in known:
            raise ValueError(f"{name} must be one of {', '.join(known)}, got {word!r}")
        prim.CreateAttribute(f"{_prefix()}:{name}", Sdf.ValueTypeNames.String).Set(word)


@behaves("isaacsim.sensors.rtx.apply_nonvisual_material")
def apply_nonvisual_material(prim, base, coating="none", attribute="none"):
    write(prim, base, coating, attribute)
    return True


@behaves("isaacsim.sensors.rtx.get_material_id")
def get_material_id(prim):
    return encoded(prim)


@behaves("isaacsim.sensors.rtx.decode_material_id")
def decode_material_id(material_id):
    return decoded(int(material_id))


@behaves("isaacsim.core.experimental.materials.NonVisualMaterial")
class NonVisualMaterial:
    """Non-visual attributes of Material prims."""

    def __init__(self, paths, *, bases=None, coatings=None, attributes=None):
        from .sim import sim

        self._prims = [sim().stage.GetPrimAtPath(p) for p in ([paths] if isinstance(paths, str) else paths)]
        for prim in self._prims:
            if not prim or prim.GetTypeName() != "Material":
                raise ValueError(f"{prim.GetPath() if prim else paths} must be a Material prim")
        for values, put in ((bases, self.set_bases), (coatings, self.set_coatings), (attributes, self.set_attributes)):
            if values is not None:
                put(values)

    def _set(self, name: str, values: Any, known: list[str], indices: Any) -> None:
        from pxr import Sdf

        words = [values] * len(self._prims) if isinstance(values, str) else list(values)
        chosen = range(len(self._prims)) if indices is None else [int(i) for i in np.ravel(indices)]
        for row, word in zip(chosen, words, strict=True):
            if word not in known:
                raise ValueError(f"{name} must be one of {', '.join(known)}, got {word!r}")
            self._prims[row].CreateAttribute(f"{_prefix()}:{name}", Sdf.ValueTypeNames.String).Set(word)

    def set_bases(self, bases, *, indices=None):
        self._set("base", bases, BASES, indices)

    def set_coatings(self, coatings, *, indices=None):
        self._set("coating", coatings, COATINGS, indices)

    def set_attributes(self, attributes, *, indices=None):
        self._set("attributes", attributes, list(ATTRIBUTES), indices)

    @staticmethod
    def encode_material_ids(prims):
        return [encoded(p) for p in prims]

    @staticmethod
    def decode_material_ids(ids):
        return [decoded(int(i)) for i in np.ravel(ids)]
