"""Imports every file that registers behaviours."""

from . import annotators, backends, kit, labels, menus, orchestrator, products, seeds, settings, timeline, ui, usd, writers  # noqa: F401
