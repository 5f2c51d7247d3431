"""Imports every file that registers behaviours."""

from . import (  # noqa: F401  # noqa: F401
    annotators,
    backends,
    core_utils,
    functional,
    gmo,
    kit,
    labels,
    lidar_api,
    lidar_data,
    materials,
    menus,
    orchestrator,
    products,
    seeds,
    sensors,
    settings,
    timeline,
    ui,
    usd,
    writers,
)
