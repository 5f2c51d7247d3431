"""The app: ticks to wait for, update events, extensions, commands, and the SimulationApp of standalone scripts."""

from __future__ import annotations

import unittest
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .checks import behaves
from .modules import extension_ids
from .settings import Settings
from .sim import Sim, given, sim, within_loop


class Events:
    """Observers of the app's events, called in order; one that is not dropped is a leftover."""

    def __init__(self, owner: Sim):
        self.observers: list[Guard] = []

    def update(self) -> None:
        """Tell the observers of the update event."""
        for guard in sorted(self.observers, key=lambda g: g._order):
            if guard._event == GLOBAL_EVENT_UPDATE:
                given(guard._function, {"dt": 1.0 / 60.0})

    def leftovers(self) -> list[str]:
        """Observers whose guard is held."""
        return [f"event observer {guard._name or guard._function}" for guard in self.observers]


class Guard:
    """Keeps an observer alive; dropping it, or ``reset``, ends it."""

    def __init__(self, events: Events, event: str, function: Callable[..., None], name: str, order: int):
        self._events, self._event, self._function, self._name, self._order = events, event, function, name, order
        events.observers.append(_Weak(self))

    def reset(self) -> None:
        """Stop observing."""
        self._events.observers[:] = [o for o in self._events.observers if o._key != id(self)]

    def __del__(self) -> None:
        self.reset()


class _Weak:
    """What the dispatcher keeps of a guard: not the guard, so that dropping it ends it."""

    def __init__(self, guard: Guard):
        self._key, self._event, self._function, self._name, self._order = id(guard), guard._event, guard._function, guard._name, guard._order


class IEventDispatcher:
    """The dispatcher."""

    def observe_event(self, *, event_name: str, on_event: Callable[..., None], observer_name: str = "", order: int = 0) -> Guard:
        return Guard(sim().part(Events), event_name, on_event, observer_name, order)


@behaves("carb.eventdispatcher.get_eventdispatcher")
def get_eventdispatcher():
    return IEventDispatcher()


GLOBAL_EVENT_UPDATE = behaves("omni.kit.app.GLOBAL_EVENT_UPDATE")("omni.kit.app:update")


class Extensions:
    """Enabled extensions and where they lie. Tests may add folders to ``paths``."""

    def __init__(self, owner: Sim):
        self.enabled = extension_ids(owner.flavour)
        self.paths: dict[str, str] = {}


class ExtensionManager:
    """The extension manager."""

    def get_extension_path(self, ext_id: str) -> str:
        paths = sim().part(Extensions).paths
        name = ext_id.split("-")[0]
        if name not in paths:
            raise KeyError(f"no extension has the id {ext_id!r}; a test sets sim.part(Extensions).paths")
        return paths[name]

    def set_extension_enabled_immediate(self, name: str, enabled: bool) -> bool:
        held = sim().part(Extensions).enabled
        if enabled and name not in held:
            known = extension_ids(sim().flavour) | {n: n for n in sim().part(Extensions).paths}
            if name not in known:
                return False
            held[name] = known[name]
        if not enabled:
            held.pop(name, None)
        return True

    def is_extension_enabled(self, name: str) -> bool:
        return name in sim().part(Extensions).enabled

    def get_enabled_extension_id(self, name: str) -> str | None:
        return sim().part(Extensions).enabled.get(name)


class IApp:
    """The app."""

    async def next_update_async(self) -> float:
        return await sim().next_tick()

    def get_extension_manager(self) -> ExtensionManager:
        return ExtensionManager()

    def is_running(self) -> bool:
        return True


@behaves("omni.kit.app.get_app")
def get_app():
    return IApp()


@behaves("omni.ext.IExt")
class IExt:
    """Base of extensions."""

    def on_startup(self, ext_id: str) -> None:
        """Called when it is enabled."""

    def on_shutdown(self) -> None:
        """Called when it is disabled."""


@behaves("omni.kit.test.AsyncTestCase")
class AsyncTestCase(unittest.IsolatedAsyncioTestCase):
    """Base of Kit's own tests."""


class Standalone:
    """The one SimulationApp of a process."""

    def __init__(self, owner: Sim):
        self.app: Any = None
        self.exit_code: int | None = None
        self.closed = False

    def leftovers(self) -> list[str]:
        """An app that was not closed."""
        return ["SimulationApp was not closed"] if self.app is not None and not self.closed else []


LAUNCH = (
    "headless hide_ui active_gpu physics_gpu multi_gpu max_gpu_count sync_loads width height window_width window_height display_options renderer "
    "anti_aliasing samples_per_pixel_per_frame denoiser max_bounces open_usd fast_shutdown profiler_backend create_new_stage "
    "extra_args enable_crashreporter limit_cpu_threads disable_viewport_updates enable_motion_bvh"
).split()
RENDERERS = ("RealTimePathTracing", "RaytracedLighting", "PathTracing", "MinimalRendering")


@behaves("isaacsim.SimulationApp")
class SimulationApp:
    """Starts the app; from then on its packages and ``pxr`` can be imported."""

    def __init__(self, launch_config=None, experience=""):
        held = sim().part(Standalone)
        if sim().mode != "standalone":
            raise RuntimeError("SimulationApp inside a running Kit: an extension must not make one")
        if held.app is not None:
            raise RuntimeError("there can be one SimulationApp per process")
        config = dict(launch_config or {})
        known = [*LAUNCH, *(["shutdown_watchdog_timeout"] if sim().flavour == "6.0" else [])]
        for key in config:
            if key not in known:
                raise ValueError(f"launch_config has no key {key!r}; it has {', '.join(known)}")
        if config.get("renderer", RENDERERS[0]) not in RENDERERS:
            raise ValueError(f"renderer must be one of {RENDERERS}, got {config['renderer']!r}")
        if experience and not Path(experience).name.endswith(".kit"):
            raise ValueError(f"experience must be a .kit file, got {experience!r}")
        held.app = self
        self._config, self._exiting = config, False
        sim().importer.let_in()
        for text in config.get("extra_args", []):
            if text.startswith("--/"):
                name, _, value = text[2:].partition("=")
                sim().part(Settings).put(name, _value(value))
        from .usd import UsdContext

        if config.get("open_usd"):
            sim().part(UsdContext).open(config["open_usd"])
        elif config.get("create_new_stage", True):
            sim().part(UsdContext).new()

    def update(self):
        self._alive()
        if within_loop():
            raise RuntimeError("SimulationApp.update inside a coroutine: await next_update_async there")
        sim().tick()

    def set_setting(self, setting, value):
        sim().part(Settings).put(setting, value)

    def reset_render_settings(self):
        self._alive()

    def run_coroutine(self, coroutine, run_until_complete=True):
        self._alive()
        if run_until_complete:
            return sim().run(coroutine)
        return sim().loop.create_task(coroutine)

    def is_running(self):
        return not self._exiting

    def is_exiting(self):
        return self._exiting

    def close(self, wait_for_replicator=True, skip_cleanup=False, exit_code=0):
        """Ends the process where ``fast_shutdown`` is on: code after it does not run. 5.1 ends with 0 whatever happened."""
        self._alive()
        if wait_for_replicator:
            from .orchestrator import finish

            finish()
        held = sim().part(Standalone)
        held.closed, self._exiting, held.exit_code = True, True, exit_code
        if self._config.get("fast_shutdown", True):
            raise SystemExit(exit_code)

    @property
    def app(self):
        return IApp()

    @property
    def context(self):
        from .usd import Context

        return Context()

    def _alive(self):
        if self._exiting:
            raise RuntimeError("SimulationApp is closed")


def _value(text: str) -> Any:
    """A setting's value from the command line."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return {"true": True, "false": False}.get(text.lower(), text)
