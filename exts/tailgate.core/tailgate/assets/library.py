"""The asset classes and their generator: class, seed and parameters in, a USD file out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tailgate.assets import animals, cargo, motorcycles, people, riders, street_furniture, table_top, trucks, vehicles, wheels
from tailgate.assets.draw import Draw, plain
from tailgate.assets.looks import Part
from tailgate.assets.write import address, cached, generator_digest, write_asset
from tailgate.errors import UserError, unknown


@dataclass(frozen=True)
class AssetSpec:
    """What the library knows of a class.

    Attributes:
        description: one line.
        size: nominal length (x), width (y), height (z) [m] of the middle of its variants.
        build: draws a variant's parts, origin at the ground contact centre, x forward.
        synonyms: names of the class in public label sets, lower case with underscores.
        table_top: belongs on a table rather than on the ground.
    """

    description: str
    size: tuple[float, float, float]
    build: Callable[[Draw], list[Part]]
    synonyms: tuple[str, ...] = ()
    table_top: bool = False


ASSET_CLASSES: dict[str, AssetSpec] = {
    "person": AssetSpec("adult or child on foot", (0.6, 0.6, 1.68), people.build_person, ("pedestrian", "adult", "child", "people", "walker")),
    "construction_worker": AssetSpec(
        "worker with hard hat and vest", (0.6, 0.6, 1.72), people.build_construction_worker, ("worker", "police_officer")
    ),
    "wheelchair_user": AssetSpec(
        "person in a manual wheelchair", (1.05, 0.68, 1.35), riders.build_wheelchair_user, ("wheelchair", "personal_mobility")
    ),
    "empty_wheelchair": AssetSpec("manual wheelchair without its user", (1.05, 0.66, 0.98), wheels.build_wheelchair, ()),
    "cyclist": AssetSpec("person riding a bicycle", (1.78, 0.66, 1.75), riders.build_cyclist, ("bicyclist", "bicycle_rider")),
    "bicycle": AssetSpec("bicycle without its rider", (1.75, 0.62, 1.08), wheels.build_bicycle, ("bike",)),
    "car": AssetSpec(
        "passenger car", (4.4, 1.82, 1.52), vehicles.build_car, ("regular_vehicle", "vehicle", "sedan", "suv", "hatchback", "automobile")
    ),
    "van": AssetSpec("panel van or minibus", (5.0, 1.92, 2.1), vehicles.build_van, ("minivan", "minibus")),
    "truck": AssetSpec("rigid truck with box or flat bed", (9.0, 2.5, 3.4), trucks.build_truck, ("box_truck", "lorry", "truck_cab", "large_vehicle")),
    "bus": AssetSpec("city bus", (11.8, 2.55, 3.2), trucks.build_bus, ("school_bus", "bus_rigid", "coach")),
    "trailer": AssetSpec("trailer on its own", (6.5, 2.3, 2.4), trucks.build_trailer, ("vehicular_trailer",)),
    "motorcycle": AssetSpec(
        "motorcycle or scooter without its rider", (2.0, 0.8, 1.15), motorcycles.build_motorcycle, ("motorbike", "scooter", "moped")
    ),
    "motorcyclist": AssetSpec("rider on a motorcycle or scooter", (2.0, 0.8, 1.6), motorcycles.build_motorcyclist, ("motorcycle_rider",)),
    "stroller": AssetSpec("child's stroller", (1.0, 0.6, 1.05), wheels.build_stroller, ("pram", "pushchair", "baby_carriage")),
    "dog": AssetSpec("dog of any size", (0.75, 0.17, 0.65), animals.build_dog, ("animal",)),
    "traffic_cone": AssetSpec(
        "cone with reflective bands", (0.42, 0.42, 0.7), street_furniture.build_traffic_cone, ("cone", "construction_cone", "trafficcone")
    ),
    "barrel": AssetSpec("construction drum", (0.62, 0.62, 0.96), street_furniture.build_barrel, ("construction_barrel",)),
    "bollard": AssetSpec("bollard", (0.2, 0.2, 0.95), street_furniture.build_bollard, ("post",)),
    "barrier": AssetSpec("barrier across x", (0.6, 2.0, 0.95), street_furniture.build_barrier, ("barricade", "jersey_barrier", "fence_barrier")),
    "sign": AssetSpec("traffic sign", (0.1, 0.75, 2.6), street_furniture.build_sign, ("traffic_sign", "stop_sign")),
    "pallet": AssetSpec("pallet, empty or loaded", (1.2, 0.85, 0.5), cargo.build_pallet, ()),
    "box": AssetSpec("cardboard box", (0.5, 0.4, 0.4), cargo.build_box, ("carton", "cardboard_box", "parcel")),
    "crate": AssetSpec("plastic stacking crate", (0.62, 0.42, 0.25), cargo.build_crate, ("tote",)),
    "drum": AssetSpec("200-litre drum", (0.6, 0.6, 0.9), cargo.build_drum, ("oil_drum",)),
    "mug": AssetSpec("mug with handle", (0.115, 0.085, 0.096), table_top.build_mug, ("cup",), True),
    "bowl": AssetSpec("bowl", (0.16, 0.16, 0.065), table_top.build_bowl, (), True),
    "bottle": AssetSpec("bottle with label", (0.073, 0.073, 0.25), table_top.build_bottle, (), True),
    "can": AssetSpec("drink can, food tin or biscuit tin", (0.08, 0.08, 0.115), table_top.build_can, ("tin",), True),
    "cereal_box": AssetSpec("cereal box", (0.062, 0.19, 0.28), table_top.build_cereal_box, ("cracker_box",), True),
    "packet": AssetSpec("small printed box", (0.055, 0.12, 0.08), table_top.build_packet, ("tea_box",), True),
    "book": AssetSpec("books in a stack", (0.25, 0.18, 0.06), table_top.build_book, ("books",), True),
    "cake_box": AssetSpec("round lidded container", (0.22, 0.22, 0.11), table_top.build_cake_box, ("food_container",), True),
    "apple": AssetSpec("apple", (0.076, 0.076, 0.08), table_top.build_apple, ("fruit",), True),
    "banana": AssetSpec("banana", (0.17, 0.05, 0.035), table_top.build_banana, (), True),
}


def resolve_asset_class(name: str) -> str:
    """Canonical class of a name or synonym; case, spaces, dots and hyphens do not count. UserError with the nearest name otherwise."""
    key = "_".join(str(name).strip().lower().replace(".", " ").replace("-", " ").replace("_", " ").split())
    if key in ASSET_CLASSES:
        return key
    names = {synonym: canonical for canonical, spec in ASSET_CLASSES.items() for synonym in spec.synonyms}
    if key in names:
        return names[key]
    raise unknown("asset class", name, [*ASSET_CLASSES, *names])


def generate(asset_class: str, variant_seed: int, cache: Path | str | None = None, params: Mapping[str, Any] | None = None) -> Path:
    """Write one variant of a class, or find it in the cache.

    Args:
        asset_class: name or synonym of a class.
        variant_seed: chooses the variant; any integer.
        cache: folder of the files; default ``$TAILGATE_CACHE``, else ``~/.cache/tailgate``.
        params: parameters to fix, such as ``{"stature": 1.7}``; the others are drawn from the seed.

    Returns:
        Path of ``<cache>/<sha256 of class, generator, seed, parameters>.usdc``: default prim ``/Asset``, z up, x forward, metres, origin
        at the ground contact centre, faceVarying normals, materials in ``/Asset/Looks``.

    Raises:
        UserError: unknown class or parameter, value out of range, cache not writable.
    """
    name = resolve_asset_class(asset_class)
    overrides = plain("asset class", name, params)
    if isinstance(variant_seed, bool) or not isinstance(variant_seed, int):
        raise UserError(f"variant seed must be a whole number, got {variant_seed!r}")
    key = address(kind="asset", asset_class=name, seed=variant_seed, params=overrides)

    def author(path: Path) -> None:
        draw, parts = build(name, variant_seed, overrides)
        record = {"asset_class": name, "generator": generator_digest(), "seed": variant_seed, "parameters": draw.used}
        write_asset(path, parts, record)

    return cached(cache, f"{key}.usdc", author)


def build(asset_class: str, variant_seed: int, params: Mapping[str, Any] | None = None) -> tuple[Draw, list[Part]]:
    """The draws and parts of one variant, without a file."""
    draw = Draw(asset_class, variant_seed, params)
    parts = ASSET_CLASSES[asset_class].build(draw)
    draw.finish()
    return draw, parts
