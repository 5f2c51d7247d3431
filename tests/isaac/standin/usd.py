"""omni.usd: the context that holds the one open stage, and its selection."""

from __future__ import annotations

from typing import Any

from .checks import behaves
from .sim import Sim, sim


class UsdContext:
    """The open stage, None before one is opened. A running Kit starts with an empty stage."""

    def __init__(self, owner: Sim):
        self._owner = owner
        self.stage: Any = None
        self.url = ""
        self.selected: list[str] = []
        if owner.mode == "gui":
            self.new()

    def new(self) -> None:
        """An empty stage, z up, metres, as Isaac Sim makes it."""
        from pxr import Usd, UsdGeom

        stage = Usd.Stage.CreateInMemory()
        UsdGeom.SetStageUpAxis(stage, UsdGeom.Tokens.z)
        UsdGeom.SetStageMetersPerUnit(stage, 1.0)
        stage.SetDefaultPrim(UsdGeom.Xform.Define(stage, "/World").GetPrim())
        self._take(stage, "")

    def open(self, url: str) -> bool:
        """Open a file; False where it does not open."""
        from pxr import Tf, Usd

        try:
            stage = Usd.Stage.Open(str(url))
        except Tf.ErrorException:
            return False
        self._take(stage, str(url))
        return True

    def use(self, stage: Any) -> None:
        """For tests: take a stage that is open already."""
        self._take(stage, stage.GetRootLayer().identifier)

    def _take(self, stage: Any, url: str) -> None:
        from .products import Products

        self.stage, self.url, self.selected = stage, url, []
        self._owner.part(Products).renderer.forget()


class Selection:
    """The selected prims."""

    def get_selected_prim_paths(self) -> list[str]:
        return list(sim().part(UsdContext).selected)

    def set_selected_prim_paths(self, paths: list[str], expand_in_stage: bool) -> None:
        sim().part(UsdContext).selected = [str(p) for p in paths]

    def clear_selected_prim_paths(self) -> None:
        sim().part(UsdContext).selected = []


class Context:
    """The USD context."""

    def get_stage(self) -> Any:
        return sim().part(UsdContext).stage

    def get_stage_url(self) -> str:
        return sim().part(UsdContext).url

    def get_selection(self) -> Selection:
        return Selection()

    def new_stage(self) -> bool:
        sim().part(UsdContext).new()
        return True

    def open_stage(self, url: str) -> bool:
        return sim().part(UsdContext).open(url)

    async def new_stage_async(self) -> tuple[bool, str]:
        sim().part(UsdContext).new()
        await sim().next_tick()
        return True, ""

    async def open_stage_async(self, url: str) -> tuple[bool, str]:
        done = sim().part(UsdContext).open(url)
        await sim().next_tick()
        return done, "" if done else f"cannot open {url}"


@behaves("omni.usd.get_context")
def get_context(name: str = ""):
    if name:
        raise ValueError("the stand-in has the default context only")
    return Context()
