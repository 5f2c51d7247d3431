"""Render products: what is rendered at every tick while its updates are on."""

from __future__ import annotations

from typing import Any

from .checks import behaves
from .picture import Needs, Renderer, Shot
from .sim import Sim, sim

SENSORS = ("OmniLidar", "OmniRadar")


class Product:
    """State of one render product.

    Attributes:
        latest: frame of the last tick it was rendered in.
        given: frame that annotators hand out now, None before the first.
        captured: ``latest`` at the end of the last capture.
        users: attached annotators.
    """

    def __init__(self, path: str, camera: str, resolution: tuple[int, int], kind: str):
        self.path, self.camera, self.resolution, self.kind = path, camera, resolution, kind
        self.enabled, self.alive = True, True
        self.latest: Shot | None = None
        self.given: Shot | None = None
        self.captured: Shot | None = None
        self.captures = 0
        self.users: list[Any] = []


class Products:
    """All render products and the renderer behind them."""

    def __init__(self, owner: Sim):
        from .usd import UsdContext

        self.owner = owner
        self.all: dict[str, Product] = {}
        self.renderer = Renderer(lambda: owner.part(UsdContext).stage)
        self.instance_ids: dict[str, int] = {}
        self._count = 0

    def make(self, camera: Any, resolution: Any, name: str | None, force_new: bool) -> HydraTexture:
        """A product of a camera or sensor prim; the same one for the same camera and resolution unless named or forced."""
        path = prim_path(camera)
        prim = self.renderer._stage().GetPrimAtPath(path)
        if not prim:
            raise ValueError(f"render_product: there is no prim {path}")
        kind = prim.GetTypeName()
        if kind not in ("Camera", *SENSORS):
            raise ValueError(f"render_product: {path} must be a Camera, OmniLidar or OmniRadar, got {kind or 'an untyped prim'}")
        size = tuple(int(v) for v in resolution)
        if len(size) != 2 or min(size) < 1:
            raise ValueError(f"render_product: resolution must be (width, height), got {resolution!r}")
        for held in self.all.values():
            if not force_new and name is None and (held.camera, held.resolution) == (path, size):
                return HydraTexture(held)
        self._count += 1
        stem = name or (f"Replicator_{self._count - 1:02d}" if self._count > 1 else "Replicator")
        where = f"/Render/OmniverseKit/HydraTextures/{stem}"
        while where in self.all:
            self._count += 1
            where = f"/Render/OmniverseKit/HydraTextures/{stem}_{self._count:02d}"
        self.all[where] = Product(where, path, size, kind)
        if kind in SENSORS:
            from .lidar import Lidars

            self.owner.part(Lidars).start(where)
        return HydraTexture(self.all[where])

    def find(self, product: Any) -> Product:
        """The product behind a handle or path."""
        path = product if isinstance(product, str) else getattr(product, "path", None)
        if path not in self.all:
            raise ValueError(f"{product!r} is not a render product that exists; there are {sorted(self.all)}")
        return self.all[path]

    def render(self) -> None:
        """One frame of every product whose updates are on; buffers handed out before are overwritten."""
        from .timeline import Timeline

        time = (self.owner.ticks, self.owner.part(Timeline).time)
        for product in list(self.all.values()):
            if not product.enabled:
                self._rest(product)
                continue
            self.owner.rendered_frames[product.path] += 1
            for user in product.users:
                user._poison()
            if product.kind == "Camera":
                if product.users:
                    product.latest = self.renderer.shoot(product.camera, product.resolution, needs_of(product), time)
            else:
                self._sense(product, time)

    def _rest(self, product: Product) -> None:
        if product.kind in SENSORS:
            from .lidar import Lidars

            self.owner.part(Lidars).rest(product.path)

    def _sense(self, product: Product, time: tuple[int, float]) -> None:
        from .lidar import Lidars

        self.owner.part(Lidars).fire(product, time)

    def leftovers(self) -> list[str]:
        """Products that were not destroyed."""
        return [f"render product {path} of {p.camera}" for path, p in self.all.items()]

    def close(self) -> None:
        """Release the renderer."""
        self.renderer.forget()


def needs_of(product: Product) -> Needs:
    """What the annotators on a product will ask of its frames."""
    filters = {u._filter() for u in product.users} - {None}
    return Needs(tuple(sorted(filters)), any(u._wants_boxes() for u in product.users))


def prim_path(prim: Any) -> str:
    """Path of a prim given as text, prim or replicator item."""
    if isinstance(prim, str):
        return prim
    if hasattr(prim, "GetPath"):
        return str(prim.GetPath())
    if hasattr(prim, "_paths"):
        return prim._paths[0]
    raise TypeError(f"a prim must be a path, a Usd.Prim or a replicator item, got {type(prim).__name__}")


class Texture:
    """The texture inside a product."""

    def __init__(self, product: Product):
        self._product = product

    def set_updates_enabled(self, on: bool) -> None:
        self._product.enabled = bool(on)


class HydraTexture:
    """A render product as its owner holds it."""

    def __init__(self, product: Product):
        self._product = product

    @property
    def path(self) -> str:
        return self._product.path

    @property
    def hydra_texture(self) -> Texture:
        if not self._product.alive:
            raise RuntimeError(f"render product {self.path} was destroyed")
        return Texture(self._product)

    def destroy(self) -> None:
        held = sim().part(Products)
        if self._product.users:
            names = ", ".join(u._name for u in self._product.users)
            sim().log.append(("warn", f"render product {self.path} was destroyed with annotators attached: {names}"))
        held.all.pop(self.path, None)
        self._product.alive = self._product.enabled = False


@behaves("omni.replicator.core.create.render_product")
def render_product(camera, resolution, force_new=False, name=None, render_vars=None):
    held = sim().part(Products)
    if isinstance(camera, (list, tuple)):
        return [held.make(c, resolution, name and f"{name}_{k}", force_new) for k, c in enumerate(camera)]
    return held.make(camera, resolution, name, force_new)
