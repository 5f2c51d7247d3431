"""Source class → asset class: what the names of public data sets stand for, and where such a thing is found."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tailgate.assets import AssetSpec
from tailgate.config.budget import ClassMap

SYNONYMS: dict[str, tuple[str, ...]] = {
    "person": ("human", "human pedestrian adult", "human pedestrian child", "human pedestrian police officer"),
    "construction_worker": ("human pedestrian construction worker",),
    "wheelchair_user": ("wheelchair rider", "human pedestrian wheelchair"),
    "stroller": ("human pedestrian stroller",),
    "bicycle": ("vehicle bicycle",),
    "motorcycle": ("vehicle motorcycle",),
    "car": ("vehicle car",),
    "truck": ("vehicle truck",),
    "bus": ("vehicle bus rigid",),
    "trailer": ("vehicle trailer",),
    "cone": ("movable object trafficcone", "pylon"),
    "barrier": ("movable object barrier",),
    "pallet": ("cargo pallet", "euro pallet", "wooden pallet"),
    "box": ("corrugated carton", "other carton", "package"),
    "bottle": ("glass bottle", "clear plastic bottle", "other plastic bottle"),
    "can": ("drink can", "food can", "tin can"),
}
"""Asset class or a synonym of it -> names in public data sets after ``plain_name``, beyond the synonyms that the asset library itself knows."""

STAND_INS: dict[str, tuple[str, str]] = {
    "articulated bus": ("bus", "a rigid bus"),
    "vehicle bus bendy": ("bus", "a rigid bus"),
    "vehicle emergency police": ("car", "a plain car"),
    "vehicle emergency ambulance": ("van", "a plain van"),
    "wheeled rider": ("cyclist", "a cyclist"),
    "official signaler": ("construction_worker", "a construction worker"),
    "person sitting": ("person", "a standing person"),
    "aerosol": ("can", "a drink can"),
    "pizza box": ("box", "a cardboard box"),
    "meal carton": ("box", "a cardboard box"),
    "egg carton": ("box", "a cardboard box"),
    **dict.fromkeys(("glass cup", "paper cup", "foam cup", "disposable plastic cup", "other plastic cup"), ("cup", "a mug")),
}
"""Source names whose asset is only near: (asset class, what it is instead). Written to the budget as ``stands_for``."""

SCENARIOS = ("street", "warehouse", "table_top")
_WAREHOUSE = ("pallet", "forklift", "pallet jack", "box", "cardboard box", "crate", "drum", "cart", "rack")


def plain_name(name: str) -> str:
    """Lower case, words apart by one space: ``movable_object.trafficcone`` -> ``movable object trafficcone``."""
    return " ".join(re.findall(r"[a-z0-9]+", name.lower()))


@dataclass(frozen=True)
class Ontology:
    """How classes are made.

    Attributes:
        entries: source class -> its line of the budget's ontology.
        missing: source classes that no asset can make.
        said: sentences for the user.
    """

    entries: dict[str, ClassMap] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)


def map_classes(names: Iterable[str], assets: Mapping[str, AssetSpec], usd: Mapping[str, str] | None = None) -> Ontology:
    """Find the asset class of every source class.

    Args:
        names: source classes.
        assets: asset classes that can be generated, with their own synonyms.
        usd: the user's own USD files by source class.
    """
    known = {plain_name(s): a for a, spec in assets.items() for s in spec.synonyms} | {plain_name(a): a for a in assets}
    given = dict(usd or {})
    by_source = {source: asset for asset, sources in SYNONYMS.items() for source in sources}
    out = Ontology()
    for name in names:
        plain = plain_name(name)
        instead, what = STAND_INS.get(plain, ("", ""))
        asset = known.get(plain) or known.get(plain_name(instead or by_source.get(plain, "")))
        if name in given:
            out.entries[name] = ClassMap(asset=plain.replace(" ", "_"), usd=str(Path(given[name])))
        elif asset and instead and plain not in known:
            out.entries[name] = ClassMap(asset=asset, stands_for=what)
            out.said.append(f"{name} has no asset of its own: {what} ('{asset}') stands for it; --usd '{name}=FILE' uses yours")
        elif asset:
            out.entries[name] = ClassMap(asset=asset)
        else:
            out.missing.append(name)
    if out.missing:
        listed = ", ".join(out.missing[:8]) + (f" and {len(out.missing) - 8} more" if len(out.missing) > 8 else "")
        out.said.append(f"no asset can make {listed}: left out of the budget; --usd 'CLASS=FILE' adds your own USD")
    return out


def home(asset: str, assets: Mapping[str, AssetSpec]) -> str:
    """Scenario in which things of an asset class stand; a class of the user's own stands in the street."""
    spec = assets.get(asset)
    if spec and spec.table_top:
        return "table_top"
    return "warehouse" if plain_name(asset) in _WAREHOUSE else "street"
