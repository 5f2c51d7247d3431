"""What is seen through the windows of vehicles: lining, seats, dashboard and steering wheel.

Seats are 0.5 m wide with cushions 0.3 m above the floor and backs of 0.6 m (SAE J826, ISO 3958 for reach to the wheel).
"""

from __future__ import annotations

import numpy as np

from tailgate.assets.looks import BLACK_PLASTIC, LINING, UPHOLSTERY, Part
from tailgate.assets.mesh_kit import Mesh, box, join, lathe, loft, rod


def lining(shell: Mesh, inset: float = 0.02) -> Mesh:
    """A shell drawn in by ``inset`` [m] on every side, facing inwards."""
    low, high = shell.points.min(0), shell.points.max(0)
    factor = 1 - 2 * inset / np.maximum(high - low, 4 * inset)
    return Mesh((shell.points - (low + high) / 2) * factor + (low + high) / 2, shell.triangles[:, ::-1])


def tub(x: tuple[float, float], width: float, z: tuple[float, float]) -> Mesh:
    """Floor and walls of a compartment that is open at the top."""
    corners = np.array([(x[0], -width / 2), (x[1], -width / 2), (x[1], width / 2), (x[0], width / 2)])
    return loft(np.array([np.column_stack([corners, np.full(4, height)]) for height in z]), (True, False))


def seat(x: float, y: float, z: float, width: float = 0.5, headrest: bool = True) -> Mesh:
    """A seat on a floor at height ``z`` whose back stands at ``x`` and leans back."""
    parts = [
        box((0.5, width, 0.16), (x + 0.25, y, z + 0.26), 0.04),
        box((0.13, width, 0.62), (0, 0, 0.31), 0.05).turned("y", -14).moved(x, y, z + 0.28),
    ]
    if headrest:
        parts.append(box((0.10, 0.27, 0.17), (0, 0, 0.74), 0.04).turned("y", -14).moved(x, y, z + 0.28))
    return join(*parts)


def bench(x: float, width: float, z: float) -> Mesh:
    """A row of two or three seats in one piece, with headrests at its ends."""
    rests = [box((0.10, 0.27, 0.17), (0, y, 0.74), 0.04) for y in (-0.3 * width, 0.3 * width)]
    back = join(box((0.13, width, 0.62), (0, 0, 0.31), 0.05), *rests).turned("y", -14).moved(x, 0, z + 0.28)
    return join(box((0.5, width, 0.16), (x + 0.25, 0, z + 0.26), 0.04), back)


def cockpit(x: float, z: float, width: float, driver: float) -> Mesh:
    """Dashboard that ends at ``x`` below a windscreen's foot at height ``z``, and the steering wheel before the driver at y = ``driver``."""
    board = box((0.42, width, 0.22), (x - 0.21, 0, z - 0.10), 0.06)
    hood = box((0.18, 0.36, 0.07), (x - 0.34, driver, z + 0.02), 0.03)
    rim = lathe([(0.17, -0.012), (0.195, -0.012), (0.195, 0.012), (0.17, 0.012)], 20, closed=True)
    spokes = box((0.34, 0.05, 0.015), (0, 0, 0)).turned("z", 90)
    wheel = join(rim, spokes, rod((0, 0, 0.0), (0, 0, 0.22), 0.03, 8)).turned("y", 65).moved(x - 0.62, driver, z - 0.01)
    return join(board, hood, wheel)


def furnished(shell: Mesh, seats: list[Mesh], furniture: list[Mesh], inset: float = 0.02) -> list[Part]:
    """Parts of an interior: the lining of a shell, seats, and what is made of plastic."""
    return [
        Part("interior_lining", LINING, lining(shell, inset), 38),
        Part("interior_seats", UPHOLSTERY, join(*seats), 50),
        Part("interior", BLACK_PLASTIC, join(*furniture), 40),
    ]
