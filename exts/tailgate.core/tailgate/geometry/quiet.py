"""Warp without its banner and its compilation messages: ``from tailgate.geometry.quiet import wp``."""

import warp as wp

wp.config.quiet = True
if hasattr(wp.config, "log_level"):
    wp.config.log_level = wp.LOG_ERROR

__all__ = ["wp"]
