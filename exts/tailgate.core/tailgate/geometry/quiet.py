"""Warp, started without its banner: ``from tailgate.geometry.quiet import wp``."""

import contextlib
import inspect
import os
import sys
import tempfile
from typing import Any

import warp as wp

__all__ = ["outlined", "wp"]

_EXPECTED = ("Could not find or load the NVIDIA CUDA driver",)
_EXPECTED_1_8 = (
    "Could not open libcuda.so",
    "cuDriverGetVersion",
    "cuda_driver_version",
    "Warp UserWarning:",
    "Insufficient CUDA driver version.",
    "the installed CUDA driver version is 0.0",
    "NVIDIA/warp/blob/main/README.md#installing",
)
"""What Warp writes on a machine without a GPU, whatever the log level (1.8 at length): no news to anyone who asked for the CPU."""


def _start() -> None:
    """Initialize Warp; what it writes, to either stream, goes to the error stream but for the expected lines."""
    wp.config.quiet = True
    if hasattr(wp.config, "log_level"):
        wp.config.log_level = wp.LOG_ERROR
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as said:
        os.dup2(said.fileno(), 2)
        try:
            with contextlib.redirect_stdout(sys.stderr):
                wp.init()
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            said.seek(0)
            lines = said.read().decode(errors="replace").splitlines()
            expected = _EXPECTED + (_EXPECTED_1_8 if any("libcuda" in line for line in lines) else ())
            for line in lines:
                if line and not any(words in line for words in expected):
                    print(line, file=sys.stderr)


def outlined(function: Any) -> Any:
    """A large Warp function that is called, where there is a GPU, instead of copied to wherever it is used: CUDA's compiler takes minutes over
    kernels that trace many rays otherwise. A CPU runs copies faster by a tenth. Older Warp (1.13 and before) cannot be told."""
    can = "inline" in inspect.signature(wp.func).parameters and wp.is_cuda_available()
    return wp.func(function, inline=False) if can else wp.func(function)


_start()
