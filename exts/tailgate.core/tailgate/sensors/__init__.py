"""Response models: exact channels in, a device's channels out."""

from tailgate.sensors.response import nominal, respond

__all__ = ["nominal", "respond"]
