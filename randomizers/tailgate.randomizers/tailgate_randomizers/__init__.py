"""The built-in randomizers: an ordinary plugin package."""

from __future__ import annotations

from tailgate.registry import Registry


def register(registry: Registry) -> None:
    """Add every built-in randomizer to ``registry``; called by the entry point (pip) and by the extension's start (Kit)."""
    from tailgate_randomizers.camera import RigPose
    from tailgate_randomizers.distractors import Scatter
    from tailgate_randomizers.labels import Annotator
    from tailgate_randomizers.materials import Surfaces
    from tailgate_randomizers.occlusion import Blockers
    from tailgate_randomizers.placement import Contexts
    from tailgate_randomizers.room import Room
    from tailgate_randomizers.sensor_noise import Response
    from tailgate_randomizers.sun_sky import SunSky
    from tailgate_randomizers.weather import Conditions

    for cls in (Conditions, SunSky, Room, RigPose, Contexts, Blockers, Scatter, Surfaces, Response, Annotator):
        registry.register(cls)
