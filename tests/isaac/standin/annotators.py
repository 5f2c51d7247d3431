"""omni.replicator.core.annotators: annotators on render products and how they hand out arrays."""

from __future__ import annotations

import weakref
from typing import Any

import numpy as np
from tailgate.errors import nearest
from tailgate.geometry.quiet import wp

from . import table
from .checks import NoBehaviour, behaves
from .data import BOXES, DATA, Given
from .labels import SemanticFilter
from .products import Product, Products
from .sim import Sim, sim

HIDDEN = ("instance_id_segmentation", "instance_id_segmentation_fast", "ReferenceTime", "IsaacExtractRTXSensorPointCloud")
SEMANTIC = ("bounding_box", "instance_segmentation", "semantic_segmentation")
POISON = {"f": np.nan, "u": 0xABABABAB, "i": -0x54545455}


class Attached:
    """All annotators that are attached; those that stay so are leftovers."""

    def __init__(self, owner: Sim):
        self.all: list[Any] = []
        self.own: dict[str, Any] = {}

    def leftovers(self) -> list[str]:
        """Annotators that were not detached."""
        return [f"annotator {a._name} on {a._product.path}" for a in self.all]


@behaves("omni.replicator.core.annotators.Annotator")
class Annotator:
    """One annotator. Its arrays: copies on the CPU; on "cuda" a pooled copy, or a view that the next frame overwrites."""

    def __init__(
        self,
        name,
        init_params=None,
        render_product_idxs=None,
        device=None,
        render_products=None,
        template_name=None,
        do_array_copy=True,
        public_name=None,
    ):
        rows = table.annotators(sim().flavour)
        if name not in rows:
            raise ValueError(f"Isaac Sim {sim().flavour} has no annotator '{name}'{nearest(name, rows)}")
        self._name, self._row, self._device, self._copy = name, rows[name], device, do_array_copy
        signature = table.signature_of(table.text_of(self._row, sim().flavour))
        self._init = dict(init_params or {})
        for key in self._init:
            if key not in signature.parameters:
                raise ValueError(f"annotator {name} has no init parameter '{key}'{nearest(key, signature.parameters)}")
        if _on_gpu(device) and not self._row.get("gpu"):
            raise ValueError(f"annotator {name} is not on the GPU: device must be 'cpu', got {device!r}")
        self._product: Product | None = None
        self._was_attached = False
        self._views: dict[str, weakref.ref] = {}
        self._pool: dict[tuple, Any] = {}
        self._ids: dict[str, int] = {}

    @property
    def is_attached(self) -> bool:
        return self._was_attached

    def initialize(self, **kwargs):
        if self._was_attached:
            raise RuntimeError(f"annotator {self._name} is or was attached: get a new one")
        self._init.update(kwargs)

    def attach(self, render_products, render_product_idxs=None):
        if isinstance(render_products, (list, tuple)):
            if len(render_products) != 1:
                raise ValueError(f"annotator {self._name} takes one render product, got {len(render_products)}")
            render_products = render_products[0]
        if self._product is not None:
            raise RuntimeError(f"annotator {self._name} is attached to {self._product.path} already")
        product = sim().part(Products).find(render_products)
        kinds = DATA.get(self._name)
        if kinds is None:
            raise NoBehaviour(f"the stand-in has no behaviour for the annotator {self._name}")
        if product.kind not in kinds.prims:
            raise ValueError(f"annotator {self._name} needs a {' or '.join(kinds.prims)}, {product.path} is of a {product.kind}")
        self._product, self._was_attached = product, True
        product.users.append(self)
        sim().part(Attached).all.append(self)
        return self

    def detach(self, render_products=None):
        if self._product is None:
            return
        self._product.users.remove(self)
        sim().part(Attached).all.remove(self)
        self._poison()
        self._product = None

    def get_name(self):
        return self._name

    def get_data(self, device=None, do_array_copy=False, use_legacy_structure=True):
        if self._product is None:
            raise RuntimeError(f"annotator {self._name} is not attached to a render product")
        if _on_gpu(device) and not self._row.get("gpu"):
            raise ValueError(f"annotator {self._name} is not on the GPU: device must be 'cpu', got {device!r}")
        given = self._given()
        where, copy = device or self._device, do_array_copy or self._copy
        data = given.data if isinstance(given.data, dict) else self._handed_out(given.data, "data", where, copy)
        if isinstance(data, dict):
            return data
        info = {k: self._handed_out(v, k, where, copy) if isinstance(v, np.ndarray) else v for k, v in given.info.items()}
        if use_legacy_structure:
            return {"data": data, "info": info} if info else data
        return {"data": data, **info}

    # inside the stand-in ----------------------------------------------------------------------------------------------------------------------------

    def _given(self) -> Given:
        """Arrays of the frame that the product hands out."""
        fault = sim().fault("no_data")
        if self._product.given is None or (fault and fault["annotator"] in ("", self._name)):
            return Given(np.zeros(0)) if DATA[self._name].array else Given({})
        return DATA[self._name].make(self, self._product.given)

    def _handed_out(self, array: np.ndarray, name: str, device: Any, copy: bool) -> Any:
        """An array as Replicator hands it out: squeezed where it is an image or a cloud, on its device, poisoned later where it is a view."""
        if array.dtype.names is None and array.ndim > 1:
            array = np.squeeze(array)
        if not _on_gpu(device) or array.dtype.names is not None:
            return array.copy()
        view = self._views[name]() if name in self._views and not copy else None
        if view is not None:
            return view
        made = wp.array(np.ascontiguousarray(array), dtype=wp.dtype_from_numpy(array.dtype), device=_warp_device(device))
        if copy:
            return self._pooled(name, made)
        self._views[name] = weakref.ref(made)
        return made

    def _pooled(self, name: str, made: Any) -> Any:
        """The annotator's own buffer, written over at every call."""
        key = (name, made.shape, made.dtype, str(made.device))
        if key not in self._pool:
            self._pool[key] = made
        elif made.size:
            wp.copy(self._pool[key], made)
        return self._pool[key]

    def _poison(self) -> None:
        """Overwrite the views that were handed out, as the renderer's next frame does."""
        for held in self._views.values():
            view = held()
            if view is not None and view.size:
                kind = np.dtype(wp.dtype_to_numpy(view.dtype))
                value = POISON.get(kind.kind, 0)
                view.assign(np.full(view.shape, value if kind.kind == "f" else np.array(value, np.int64).astype(kind), kind))
        self._views = {}

    def _filter(self) -> str | None:
        """Semantic filter the annotator reads labels by; None where it reads none."""
        if not DATA[self._name].labels:
            return None
        types, text = self._init.get("semanticTypes"), self._init.get("semanticFilter")
        if (types or text) and any(s in self._name for s in SEMANTIC):
            return text or ";".join(f"{t}:*" for t in types)
        return sim().part(SemanticFilter).text

    def _wants_boxes(self) -> bool:
        return self._name in BOXES


def _on_gpu(device: Any) -> bool:
    return device is not None and str(device).startswith("cuda")


def _warp_device(device: Any) -> str:
    """The Warp device that stands for the renderer's; "cpu" on a machine without a GPU."""
    if wp.get_cuda_device_count():
        return str(device) if ":" in str(device) else "cuda:0"
    return "cpu"


@behaves("omni.replicator.core.annotators.AnnotatorRegistry")
class AnnotatorRegistry:
    """Annotators by name."""

    @classmethod
    def get_annotator(cls, name, init_params=None, render_product_idxs=None, device=None, do_array_copy=True):
        return Annotator(name, init_params, render_product_idxs, device, do_array_copy=do_array_copy)

    @classmethod
    def get_registered_annotators(cls):
        return sorted(n for n in table.annotators(sim().flavour) if n not in HIDDEN)

    @classmethod
    def detach(cls, annotator, render_products):
        annotator.detach(render_products)


@behaves("omni.replicator.core.annotators.get")
def get(name, init_params=None, render_product_idxs=None, device=None, do_array_copy=True):
    return Annotator(name, init_params, render_product_idxs, device, do_array_copy=do_array_copy)


@behaves("omni.replicator.core.annotators.get_registered_annotators")
def get_registered_annotators():
    return AnnotatorRegistry.get_registered_annotators()
