"""Built-in base scenes: street, warehouse, table top."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tailgate.assets.bases import street, table_top, warehouse
from tailgate.assets.bases.scene import Scene
from tailgate.assets.draw import Draw, plain
from tailgate.assets.write import address, cached
from tailgate.errors import unknown


@dataclass(frozen=True)
class BaseSpec:
    """A built-in base scene: one line of description and the function that authors it."""

    description: str
    author: Callable[[Scene, Draw], None]


BASES: dict[str, BaseSpec] = {
    "street": BaseSpec("straight town street of 120-160 m with buildings, trees and crosswalks", street.author),
    "warehouse": BaseSpec("hall with pallet racks and aisles", warehouse.author),
    "table_top": BaseSpec("room of 5 × 4 m with a table", table_top.author),
}


def build_base(name: str, seed: int = 0, options: Mapping[str, Any] | None = None, cache: Path | str | None = None) -> Path:
    """Write a base scene, or find it in the cache.

    Args:
        name: "street", "warehouse" or "table_top".
        seed: chooses sizes, buildings, colours.
        options: parameters to fix, as documented by each base's ``author``.
        cache: as in ``assets.generate``.

    Returns:
        Path of ``<cache>/<sha256>.usdc``: default prim ``/World``, z up, metres; static meshes below ``/World/<class>`` with semantic labels,
        contexts below ``/World/Contexts``.

    Raises:
        UserError: unknown base or option, value out of range, cache not writable.
    """
    if name not in BASES:
        raise unknown("base", name, BASES)
    overrides = plain("base", name, options)
    key = address(kind="base", base=name, seed=int(seed), options=overrides)

    def author(path: Path) -> None:
        draw, scene = Draw(name, int(seed), overrides, kind="base"), Scene()
        BASES[name].author(scene, draw)
        draw.finish()
        scene.save(path)

    return cached(cache, f"{key}.usdc", author)
