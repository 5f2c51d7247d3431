"""Entries of the stage's and the viewport's context menus."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import omni.kit.context_menu

from tailgate_ui.marks import KINDS

if TYPE_CHECKING:
    from tailgate_ui.session import Session

PLACES = ("omni.kit.widget.stage", "omni.kit.window.viewport")


def add_context_menus(session: Session) -> list[Any]:
    """Put "Tailgate" into the context menus; they stay as long as the returned subscriptions are held."""
    entries = [{"name": f"Use as {kind}", "onclick_fn": _marking(session, kind), "show_fn": _markable} for kind in KINDS]
    menu = {"name": {"Tailgate": entries}, "show_fn": _any}
    return [omni.kit.context_menu.add_menu(menu, "MENU", place) for place in PLACES]


def _marking(session: Session, kind: str) -> Any:
    return lambda objects: session.mark(kind, tuple(str(prim.GetPath()) for prim in _prims(objects)))


def _prims(objects: dict[str, Any]) -> list[Any]:
    return list(objects.get("prim_list") or [])


def _any(objects: dict[str, Any]) -> bool:
    return bool(_prims(objects))


def _markable(objects: dict[str, Any]) -> bool:
    """Whether all that is clicked on are curves or meshes."""
    from pxr import UsdGeom

    return _any(objects) and all(prim.IsA(UsdGeom.BasisCurves) or prim.IsA(UsdGeom.Mesh) for prim in _prims(objects))
