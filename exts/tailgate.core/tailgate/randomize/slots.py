"""Asset slots: the prims of the pool that clips may show, each with its class, size and parts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from tailgate.config.budget import Budget
from tailgate.config.scenario import Scenario
from tailgate.errors import UserError
from tailgate.rng import kernel_seed, rng
from tailgate.stage.extract import OBJECTS
from tailgate.stage.images import luminance
from tailgate.stage.layers import IDENTITY, SceneLayers
from tailgate.turns import breathe

SURFACE_POINTS = 384


@dataclass(frozen=True)
class Part:
    """One material of an asset: its name ("paint", "cloth_upper"), colour (linear RGB), roughness and LiDAR reflectance."""

    name: str
    color: tuple[float, float, float]
    roughness: float
    reflectance: float


@dataclass(frozen=True)
class AssetShape:
    """One asset file as geometry, in its own frame: origin at the ground contact, x forward, z up.

    Attributes:
        low, high: bounds [m], [3].
        points, triangles: float64 [N, 3], int64 [M, 3].
        surface: points spread evenly over its area, float64 [SURFACE_POINTS, 3].
        parts: its materials.
    """

    file: Path
    low: np.ndarray
    high: np.ndarray
    points: np.ndarray
    triangles: np.ndarray
    surface: np.ndarray
    parts: tuple[Part, ...]


@dataclass(frozen=True)
class AssetSlot:
    """One prim of the pool.

    Attributes:
        name: ``<asset_class>_v<variant>_<slot>``; its path is ``/Tailgate/Objects/<name>``.
        instance: stable over the run, from 1.
        asset_class, output_class: what it is made from, and what it is labelled as.
        shape: its geometry.
    """

    name: str
    instance: int
    asset_class: str
    output_class: str
    shape: AssetShape

    @property
    def path(self) -> str:
        """Prim path."""
        return f"{OBJECTS}/{self.name}"

    @property
    def size(self) -> np.ndarray:
        """Length, width, height [m], [3]."""
        return self.shape.high - self.shape.low


@lru_cache(maxsize=128)
def read_shape(file: Path) -> AssetShape:
    """Measure an asset file; the file's name stands for its content.

    Raises:
        UserError: it does not open, has no default prim or no triangles.
    """
    from pxr import Tf, Usd

    from tailgate.stage.triangles import read_triangles

    try:
        stage = Usd.Stage.Open(str(file))
    except Tf.ErrorException:
        raise UserError("asset must be a readable USD file, and USD cannot open it", file) from None
    root = stage.GetDefaultPrim()
    if not root:
        raise UserError("asset must have a default prim", file)
    points, triangles = read_triangles(root)
    if not len(triangles):
        raise UserError("asset must hold at least one visible mesh", file)
    breathe()
    used = points[np.unique(triangles)]
    breathe()
    surface = _spread(points, triangles, kernel_seed("surface", len(points), len(triangles)))
    return AssetShape(Path(file), used.min(0), used.max(0), points, triangles, surface, _parts(stage))


def _spread(points: np.ndarray, triangles: np.ndarray, seed: int) -> np.ndarray:
    a, b, c = (points[triangles[:, k]] for k in range(3))
    areas = np.linalg.norm(np.cross(b - a, c - a), axis=1)
    generator = rng(seed, "", 0, 0, 0, "surface")
    face = np.searchsorted(np.cumsum(areas) / areas.sum(), generator.random(SURFACE_POINTS), side="right").clip(0, len(areas) - 1)
    u, v = generator.random((2, SURFACE_POINTS, 1))
    u, v = np.where(u + v > 1, 1 - u, u), np.where(u + v > 1, 1 - v, v)
    return a[face] + u * (b - a)[face] + v * (c - a)[face]


def _parts(stage) -> tuple[Part, ...]:
    from pxr import UsdShade

    from tailgate.stage.layers import plain

    parts = []
    looks = stage.GetPrimAtPath(stage.GetDefaultPrim().GetPath().AppendChild("Looks"))
    for prim in looks.GetChildren() if looks else ():
        surface = prim.GetChild("Surface")
        if prim.IsA(UsdShade.Material) and surface:
            color = surface.GetAttribute("inputs:diffuseColor")
            roughness = surface.GetAttribute("inputs:roughness")
            reflectance = prim.GetAttribute("tailgate:reflectance")
            rgb = tuple(plain(color.Get())) if color and color.HasAuthoredValue() else (0.18, 0.18, 0.18)
            grey = luminance(rgb)
            parts.append(
                Part(
                    prim.GetName(),
                    rgb,
                    float(roughness.Get()) if roughness and roughness.HasAuthoredValue() else 0.5,
                    float(reflectance.Get()) if reflectance and reflectance.HasAuthoredValue() else grey,
                )
            )
    return tuple(parts)


@dataclass(frozen=True)
class Wanted:
    """A class that the pool must hold: what it is made from, what it is called, and the user's USD file if any."""

    asset_class: str
    output_class: str
    usd: str | None = None


def wanted_classes(scenario: Scenario, budget: Budget, extra: Sequence[str]) -> list[Wanted]:
    """Classes of the cells in their order, then distractors, then what randomizers need; each once.

    A class that no cell asks for is labelled as the ontology says, else by its own name.
    """
    outputs = {canonical_class(e.asset, e.usd): e.output or source for source, e in reversed(budget.ontology.items())}
    usd = {entry.output or source: entry.usd for source, entry in budget.ontology.items()}
    found: dict[tuple[str, str], Wanted] = {}
    for cell in budget.cells:
        asset = canonical_class(budget.asset_class(cell.class_), usd.get(cell.class_))
        found.setdefault((asset, cell.class_), Wanted(asset, cell.class_, usd.get(cell.class_)))
    made = {asset for asset, _ in found}
    for asset in dict.fromkeys(canonical_class(name) for name in [*scenario.distractors, *extra]):
        if asset not in made:
            output = outputs.get(asset, asset)
            found[(asset, output)] = Wanted(asset, output, usd.get(output))
    return list(found.values())


def canonical_class(name: str, usd: str | None = None) -> str:
    """Canonical asset class of a name or synonym; the name itself where the user brings the USD."""
    from tailgate.assets import ASSET_CLASSES, resolve_asset_class
    from tailgate.assets.write import prim_name

    if usd and name not in ASSET_CLASSES:
        return prim_name(name)
    return resolve_asset_class(name)


def fill_pool(layers: SceneLayers, scenario: Scenario, budget: Budget, wanted: Sequence[Wanted], cache: Path) -> tuple[AssetSlot, ...]:
    """Generate the variants of every class and author their slots, each invisible until a clip shows it.

    Every class gets ``variants`` shapes, the user's own USD being one, and ``slot_count`` slots.
    """
    slots: list[AssetSlot] = []
    numbers: dict[str, int] = {}
    for want in wanted:
        shapes = [read_shape(f) for f in asset_files(want, scenario, budget, cache)]
        for number in range(slot_count(scenario, len(shapes))):
            variant = number % len(shapes)
            serial = numbers.setdefault(want.asset_class, 0)
            numbers[want.asset_class] += 1
            name = f"{want.asset_class}_v{variant}_{serial}"
            slots.append(AssetSlot(name, len(slots) + 1, want.asset_class, want.output_class, shapes[variant]))
    for slot in slots:
        _author_slot(layers, slot)
    return tuple(slots)


def slot_count(scenario: Scenario, shapes: int) -> int:
    """Slots of a class of so many shapes: the smallest number that is at least the scenario's ``slots`` and the same for each shape."""
    return shapes * -(-scenario.slots // shapes)


def asset_files(want: Wanted, scenario: Scenario, budget: Budget, cache: Path) -> list[Path]:
    """Files of a class's shape variants, generated where the cache has none; the user's own USD is one."""
    from tailgate.assets import ASSET_CLASSES, from_usd, generate

    if want.usd:
        return [from_usd(want.usd, want.asset_class if want.asset_class in ASSET_CLASSES else None, cache)]
    seeds = [kernel_seed(budget.seed, "asset", want.asset_class, variant) for variant in range(scenario.variants)]
    return [generate(want.asset_class, seed, cache, {}) for seed in seeds]


def _author_slot(layers: SceneLayers, slot: AssetSlot) -> None:
    pool, frame = layers.pool, layers.frame
    pool.define(slot.path, "Xform", slot.shape.file)
    pool.single_transform(slot.path)
    pool.set(f"{slot.path}.visibility", "token", "invisible")
    pool.set(f"{slot.path}.tailgate:instance", "int", slot.instance, custom=True)
    pool.set(f"{slot.path}.tailgate:asset_class", "string", slot.asset_class, custom=True)
    pool.label(slot.path, "class", slot.output_class)
    frame.declare(f"{slot.path}.xformOp:transform", "matrix4d", IDENTITY)
    frame.declare(f"{slot.path}.visibility", "token", "invisible")


def class_labels(slots: Sequence[AssetSlot], base_classes: Sequence[str]) -> Mapping[str, int]:
    """Semantic ids: 0 background, then the pool's output classes in pool order, then the base scene's classes by name."""
    names = dict.fromkeys(["background", *(s.output_class for s in slots), *sorted(base_classes)])
    return {name: i for i, name in enumerate(names)}
