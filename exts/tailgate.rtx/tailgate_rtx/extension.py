"""What Kit starts and stops: Tailgate's plugins are known while the extension is enabled."""

from __future__ import annotations

from collections.abc import Callable

import omni.ext
import tailgate_randomizers
from tailgate.registry import Registry, backends, randomizers

import tailgate_rtx


class RtxExtension(omni.ext.IExt):
    """Registers the backend ``isaac``, the built-in randomizers (Kit knows no entry points) and Replicator's ``TailgateWriter``."""

    def on_startup(self, ext_id: str) -> None:
        """Register everything."""
        from tailgate_rtx.writer import register_writer

        self._added = [*added(backends, tailgate_rtx.register), *added(randomizers, tailgate_randomizers.register)]
        register_writer()

    def on_shutdown(self) -> None:
        """Take everything back."""
        from tailgate_rtx.writer import unregister_writer

        unregister_writer()
        for registry, cls in self._added:
            registry.unregister(cls)
        self._added = []


def added(registry: Registry, register: Callable[[Registry], None]) -> list[tuple[Registry, type]]:
    """Call ``register`` and return the classes that are new to the registry."""
    before = set(registry)
    register(registry)
    return [(registry, registry.get(name)) for name in registry if name not in before]
