"""Response models: exact channels in, a device's channels out."""

from tailgate.sensors.response import check_response, delivered, ideal, measured, nominal, respond, unit_seed

__all__ = ["check_response", "delivered", "ideal", "measured", "nominal", "respond", "unit_seed"]
