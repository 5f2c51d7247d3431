"""Procedural USD assets and base scenes, and checked wrappers around a user's own USD."""

from tailgate.assets.bases import BASES, build_base
from tailgate.assets.library import ASSET_CLASSES, AssetSpec, generate, resolve_asset_class
from tailgate.assets.usd_file import AssetUnitsWarning, check_usd, from_usd
from tailgate.assets.write import cache_folder

__all__ = [
    "ASSET_CLASSES",
    "AssetSpec",
    "AssetUnitsWarning",
    "BASES",
    "build_base",
    "cache_folder",
    "check_usd",
    "from_usd",
    "generate",
    "resolve_asset_class",
]
