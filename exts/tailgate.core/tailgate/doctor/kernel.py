"""The kernel that ``tailgate doctor`` compiles to see whether Warp works."""

from __future__ import annotations

from tailgate.geometry.quiet import wp

wp.set_module_options({"enable_backward": False})


@wp.kernel
def double(values: wp.array(dtype=wp.float32)):
    """values [n] *= 2."""
    i = wp.tid()
    values[i] = 2.0 * values[i]


def double_twin(values):
    """Numpy twin of ``double``."""
    return 2.0 * values
