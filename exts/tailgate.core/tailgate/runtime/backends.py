"""Renderers by name, and where the work beside them runs."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from tailgate.errors import Where, placed
from tailgate.registry import backends
from tailgate.render.backend import RenderBackend
from tailgate.turns import in_turns

Aside = Callable[..., Awaitable[Any]]


def backend_class(name: str) -> type[RenderBackend]:
    """The renderer called ``name``: the embedded one, or a plugin's; UserError with the nearest name."""
    from tailgate.render.raytrace import WarpBackend

    backends.register(WarpBackend)
    with placed(lambda _: Where("--backend")):
        return backends.get(name)


def aside_of(name: str) -> Aside:
    """How plain work is called beside the renderer ``name``: ``await aside(function, *args)``.

    In a process of our own it runs in place. Where the renderer shares an application's event loop it runs in a thread, so that the
    application never waits for it; the caller awaits each piece, so that no two run at once. Nothing that touches an open stage may go aside.
    """
    return _in_thread if backend_class(name).shares_loop else _in_place


def turns_of(name: str) -> Aside:
    """How long work that reads the open stage is called beside the renderer ``name``: by turns with the application's loop where it shares one."""
    return in_turns if backend_class(name).shares_loop else _in_place


async def _in_place(function: Callable[..., Any], *args: Any) -> Any:
    return function(*args)


async def _in_thread(function: Callable[..., Any], *args: Any) -> Any:
    """A cancelled caller still waits for the end of its piece, so that nothing runs on unseen."""
    work = asyncio.ensure_future(asyncio.to_thread(function, *args))
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        await asyncio.wait([work])
        raise
