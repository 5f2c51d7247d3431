"""omni.replicator.core.writers: writers, their registry, and what they are handed when a capture is complete."""

from __future__ import annotations

import json
from typing import Any

from tailgate.errors import nearest

from .annotators import Annotator
from .checks import NoBehaviour, behaves
from .data import fabric_time
from .products import Product, Products
from .sim import Sim, sim

ON_FRAME = "omni.replicator.core.OgnOnFrame"
STRUCTURES = ("legacy", "annotator", "renderProduct")


class Writers:
    """Registered and attached writers; those that stay so are leftovers."""

    def __init__(self, owner: Sim):
        self.owner = owner
        self.registered: dict[str, type] = {}
        self.attached: list[Writer] = []

    def capture(self) -> None:
        """Hand the present frames to the writers that write now."""
        for writer in list(self.attached):
            if writer._trigger is not None or writer._scheduled:
                writer._scheduled = False
                writer._write_now()

    def final(self) -> None:
        """Tell the writers that the orchestrator stops."""
        for writer in list(self.attached):
            writer.on_final_frame()

    def leftovers(self) -> list[str]:
        """Writers that were not detached or unregistered."""
        attached = [f"writer {type(w).__name__} attached to {', '.join(p.path for p in w._products)}" for w in self.attached]
        return attached + [f"writer {name} is registered" for name in self.registered]


@behaves("omni.replicator.core.writers.Writer")
class Writer:
    """Base of writers. ``annotators``, ``backend`` and ``data_structure`` are set by a subclass's ``__init__``."""

    backend: Any = None
    version = "0.0.0"
    data_structure = "legacy"

    def __new__(cls, *args: Any, **kwargs: Any) -> Writer:
        out = super().__new__(cls)
        out.num_written, out.annotators, out.metadata = 0, [], {}
        out._products, out._held, out._trigger, out._scheduled, out._ready, out._told = [], {}, ON_FRAME, False, False, False
        return out

    def write(self, data):
        raise NotImplementedError(f"{type(self).__name__} must define write(data)")

    def initialize(self, **kwargs):
        type(self).__init__(self, **kwargs)
        self._ready = True

    def attach(self, render_products, trigger=ON_FRAME):
        if self._products:
            raise RuntimeError(f"writer {type(self).__name__} is attached already")
        if not self.annotators:
            raise RuntimeError(f"writer {type(self).__name__} has no annotators: call initialize before attach")
        if self.data_structure not in STRUCTURES:
            raise ValueError(f"data_structure must be one of {STRUCTURES}, got {self.data_structure!r}")
        many = list(render_products) if isinstance(render_products, (list, tuple)) else [render_products]
        self._products = [sim().part(Products).find(p) for p in many]
        self._trigger = trigger
        for product in self._products:
            self._held[product.path] = {}
            for entry in self.annotators:
                given = entry if isinstance(entry, Annotator) else Annotator(entry)
                own = Annotator(given._name, given._init, device=given._device, do_array_copy=given._copy)
                own.attach(product.path)
                self._held[product.path][given._name] = own
        sim().part(Writers).attached.append(self)

    async def attach_async(self, render_products, trigger=ON_FRAME):
        self.attach(render_products, trigger)
        await sim().next_tick()

    def detach(self):
        for held in self._held.values():
            for annotator in held.values():
                annotator.detach()
        self._held, self._products = {}, []
        if self in sim().part(Writers).attached:
            sim().part(Writers).attached.remove(self)

    def schedule_write(self):
        if not self._products:
            raise RuntimeError(f"writer {type(self).__name__} is not attached")
        self._scheduled = True

    def get_annotators(self):
        return list(self.annotators)

    def get_annotator(self, name):
        for entry in self.annotators:
            if (entry._name if isinstance(entry, Annotator) else entry) == name:
                return entry
        raise ValueError(f"writer {type(self).__name__} has no annotator {name!r}")

    def add_annotator(self, annotator, name=None):
        self.annotators.append(annotator)

    def get_data(self):
        return self._data()

    def on_final_frame(self):
        """Called whenever the orchestrator stops."""

    def get_metadata(self):
        return {"name": type(self).__name__, "version": self.version, **self.metadata}

    def write_metadata(self):
        from .seeds import Seeds

        if self.backend is not None:
            held = {**self.get_metadata(), "replicator_global_seed:": sim().part(Seeds).value}
            self.backend.write_blob("metadata.txt", json.dumps(held).encode())

    def _write_now(self) -> None:
        if not self._told:
            self._told = True
            if self.version == "0.0.0":
                sim().log.append(("warn", f"writer {type(self).__name__} has no version"))
            self.write_metadata()
        self.write(self._data())
        self.num_written += 1

    def _data(self) -> dict[str, Any]:
        """The payload in the writer's structure."""
        tick = max((p.given.time for p in self._products if p.given is not None), default=(sim().ticks, 0.0))
        out: dict[str, Any] = {"reference_time": (fabric_time(tick), 60), "trigger_outputs": {}, "distribution_outputs": {}, "named_outputs": {}}
        if self.data_structure == "renderProduct":
            out["renderProducts"] = {_name(p): {**self._flat(p), "camera": p.camera, "resolution": list(p.resolution)} for p in self._products}
        elif self.data_structure == "annotator":
            out["annotators"] = {}
            for product in self._products:
                for name, data in self._flat(product).items():
                    out["annotators"].setdefault(name, {})[_name(product)] = data
        else:
            for product in self._products:
                tail = f"-{_name(product)}" if len(self._products) > 1 else ""
                for name, annotator in self._held[product.path].items():
                    out[name + tail] = annotator.get_data()
                out[f"rp_{_name(product)}"] = {"camera": product.camera, "resolution": list(product.resolution)}
        return out

    def _flat(self, product: Product) -> dict[str, Any]:
        return {name: annotator.get_data(use_legacy_structure=False) for name, annotator in self._held[product.path].items()}


def _name(product: Product) -> str:
    return product.path.rsplit("/", 1)[-1]


@behaves("omni.replicator.core.writers.WriterRegistry")
class WriterRegistry:
    """Writers by name."""

    @classmethod
    def register(cls, writer, category=None):
        if not (isinstance(writer, type) and issubclass(writer, Writer)):
            raise TypeError(f"a writer must be a subclass of Writer, got {writer!r}")
        sim().part(Writers).registered[writer.__name__] = writer

    @classmethod
    def unregister(cls, writer_name):
        if sim().part(Writers).registered.pop(writer_name, None) is None:
            raise ValueError(f"no writer {writer_name!r} is registered")

    @classmethod
    def get(cls, writer_name, init_params=None, render_products=None, trigger=ON_FRAME):
        held = sim().part(Writers).registered
        if writer_name in BUILT_IN:
            raise NoBehaviour(f"the stand-in has no behaviour for the writer {writer_name}")
        if writer_name not in held:
            raise ValueError(f"no writer '{writer_name}' is registered{nearest(writer_name, [*held, *BUILT_IN])}")
        made = held[writer_name].__new__(held[writer_name])
        if init_params is not None:
            made.initialize(**init_params)
        if render_products is not None:
            made.attach(render_products, trigger)
        return made

    @classmethod
    def get_writers(cls, category=None):
        return dict(sim().part(Writers).registered)

    @classmethod
    def get_attached_writers(cls, render_products=None):
        return list(sim().part(Writers).attached)

    @classmethod
    def detach(cls, writer_name, render_products=None):
        for writer in list(sim().part(Writers).attached):
            if type(writer).__name__ == writer_name:
                writer.detach()

    @classmethod
    def detach_all(cls):
        for writer in list(sim().part(Writers).attached):
            writer.detach()


BUILT_IN = ("BasicWriter", "CocoWriter", "KittiWriter", "FPSWriter", "CosmosWriter", "PoseWriter", "DataVisualizationWriter")


@behaves("omni.replicator.core.writers.get")
def get(name, init_params=None, render_products=None, trigger=ON_FRAME):
    return WriterRegistry.get(name, init_params, render_products, trigger)


@behaves("omni.replicator.core.writers.register_writer")
def register_writer(writer, category=None):
    WriterRegistry.register(writer, category)


@behaves("omni.replicator.core.writers.unregister_writer")
def unregister_writer(writer_name):
    WriterRegistry.unregister(writer_name)
