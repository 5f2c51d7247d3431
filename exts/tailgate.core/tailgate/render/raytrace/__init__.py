"""The embedded renderer."""

from tailgate.render.raytrace.backend import WarpBackend

__all__ = ["WarpBackend"]
