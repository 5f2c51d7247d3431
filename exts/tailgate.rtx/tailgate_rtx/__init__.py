"""Tailgate inside Isaac Sim: the backend ``isaac`` and the writer; the only importer of omni.replicator.core and isaacsim, and of nothing of Kit
until it is used."""

from __future__ import annotations

import sys

from tailgate.registry import Registry

if "omni.ext" in sys.modules:  # Kit, which looks here for the extension's class
    from tailgate_rtx.extension import RtxExtension as RtxExtension


def register(registry: Registry) -> None:
    """Add the backend to ``registry``; called by the entry point (pip) and by the extension's start (Kit)."""
    from tailgate_rtx.backend import RtxBackend

    registry.register(RtxBackend)
