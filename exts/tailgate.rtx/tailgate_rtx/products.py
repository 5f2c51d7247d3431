"""Render products of our own: rendered only while they are switched on, and gone with what is attached to them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class Product:
    """The render product of a sensor's prim, switched off at first, and its annotators.

    Args:
        path: of the prim.
        size: width and height [px], (1, 1) of a LiDAR.
        annotators: name -> options of ``rep.annotators.get``.
    """

    def __init__(self, path: str, size: tuple[int, int], annotators: Mapping[str, Mapping[str, Any]]):
        import omni.replicator.core as rep

        self._product = rep.create.render_product(path, size, force_new=True, name=f"tailgate_{path.rsplit('/', 1)[-1]}")
        self._annotators: dict[str, Any] = {}
        try:
            for name, options in annotators.items():
                self._annotators[name] = rep.annotators.get(name, **options).attach(self._product)
            self.switch(False)
        except BaseException:
            self.close()
            raise

    def switch(self, on: bool) -> None:
        """Let it be rendered at every tick, or not."""
        self._product.hydra_texture.set_updates_enabled(on)

    def data(self, annotator: str) -> Any:
        """What an annotator holds now."""
        return self._annotators[annotator].get_data()

    def close(self) -> None:
        """Detach and destroy everything; safe to call twice."""
        for annotator in self._annotators.values():
            annotator.detach()
        if self._product is not None:
            self._product.destroy()
        self._annotators, self._product = {}, None
