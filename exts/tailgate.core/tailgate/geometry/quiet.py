"""Warp, started without its banner: ``from tailgate.geometry.quiet import wp``."""

import os
import sys
import tempfile

import warp as wp

__all__ = ["wp"]

_EXPECTED = "Could not find or load the NVIDIA CUDA driver"
"""What Warp's native part writes on a machine without a GPU, whatever the log level: no news to anyone who asked for the CPU."""


def _start() -> None:
    """Initialize Warp; what it writes to the error stream is passed on but for the expected line."""
    wp.config.quiet = True
    if hasattr(wp.config, "log_level"):
        wp.config.log_level = wp.LOG_ERROR
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as said:
        os.dup2(said.fileno(), 2)
        try:
            wp.init()
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            said.seek(0)
            for line in said.read().decode(errors="replace").splitlines():
                if _EXPECTED not in line:
                    print(line, file=sys.stderr)


_start()
