"""Procedural USD assets and base scenes, and checked wrappers around a user's own USD."""

from tailgate.assets.library import ASSET_CLASSES, AssetSpec, generate, resolve_asset_class
from tailgate.assets.write import cache_folder

__all__ = ["ASSET_CLASSES", "AssetSpec", "cache_folder", "generate", "resolve_asset_class"]
