"""Dogs in a moment of their walk.

Sizes after the FCI breed standards: height at the withers 0.25 m (terrier) to 0.65 m (shepherd), body length 1.05-1.15 of it, head about 0.4 of it.
"""

from __future__ import annotations

import numpy as np

from tailgate.assets.draw import Color, Draw
from tailgate.assets.looks import Look, Part, hair
from tailgate.assets.mesh_kit import Mesh, ellipsoid, join, spline, tube
from tailgate.assets.write import grounded

COATS: tuple[Color, ...] = ((0.015, 0.013, 0.012), (0.16, 0.09, 0.04), (0.42, 0.28, 0.13), (0.60, 0.56, 0.50), (0.09, 0.06, 0.04), (0.28, 0.27, 0.26))


def _leg(top: tuple[float, float, float], swing: float, hind: bool, scale: float) -> Mesh:
    """One leg from the shoulder or hip to the paw, unit height at the withers."""
    x, y, z = top
    reach = z - 0.03
    joints = [
        (x, y, z),
        (x + (0.05 if hind else -0.04), y, z - 0.38 * reach),
        (x + (-0.07 if hind else 0.0) + 0.5 * swing, y, z - 0.68 * reach),
        (x + swing, y, 0.035),
        (x + swing + 0.045, y, 0.022),
    ]
    thick = (
        [(0.085, 0.12), (0.055, 0.085), (0.032, 0.042), (0.028, 0.03), (0.036, 0.024)]
        if hind
        else [(0.07, 0.09), (0.05, 0.06), (0.033, 0.037), (0.028, 0.03), (0.036, 0.024)]
    )
    return tube(spline(joints, 14), spline(np.array(thick) * scale, 14), 10, round_ends=True)


def _head(half: float, pointed: bool) -> tuple[Mesh, Mesh]:
    """Skull, muzzle and ears; nose and eyes. ``half`` = half the trunk's length, unit height at the withers."""
    skull = tube(
        spline([(half + 0.0, 0, 1.17), (half + 0.10, 0, 1.19), (half + 0.20, 0, 1.16), (half + 0.30, 0, 1.12), (half + 0.385, 0, 1.105)], 12),
        spline([(0.07, 0.08), (0.105, 0.105), (0.075, 0.08), (0.05, 0.052), (0.042, 0.04)], 12),
        14,
        round_ends=True,
    )
    upright, hanging = ((0.045, 0.02, 0.10), (half + 0.05, 0.07, 1.31)), ((0.055, 0.022, 0.11), (half + 0.05, 0.105, 1.17))
    ear = ellipsoid(*(upright if pointed else hanging), 8, 7)
    eyes = ellipsoid((0.012, 0.012, 0.014), (half + 0.185, 0.058, 1.205), 6, 5).with_mirror()
    return join(skull, ear.with_mirror()), join(ellipsoid((0.022, 0.026, 0.02), (half + 0.425, 0, 1.12), 8, 6), eyes)


def build_dog(draw: Draw) -> list[Part]:
    """A dog; ``height`` at the withers [m], ``phase`` 0..1 of its trot, ``coat`` colour."""
    height = draw.real("height", 0.25, 0.68, 0.52)
    length, bulk = draw.real("length", 1.02, 1.22, 1.1), draw.real("bulk", 0.88, 1.2, 1.0)
    phase = 2 * np.pi * draw.real("phase", 0.0, 1.0)
    half = length / 2
    trunk = tube(
        spline([(half - 0.06, 0, 0.74), (half - 0.20, 0, 0.74), (0.05, 0, 0.72), (-half + 0.28, 0, 0.76), (-half + 0.10, 0, 0.80)], 16),
        spline(np.array([(0.10, 0.13), (0.155, 0.22), (0.15, 0.20), (0.115, 0.145), (0.10, 0.12)]) * bulk, 16),
        16,
        round_ends=True,
    )
    neck = tube(
        spline([(half - 0.30, 0, 0.76), (half - 0.14, 0, 0.90), (half - 0.01, 0, 1.03), (half + 0.07, 0, 1.16)], 10),
        spline([(0.13, 0.16), (0.12, 0.145), (0.095, 0.11), (0.085, 0.10)], 10),
        14,
        round_ends=True,
    )
    pointed = draw.chance("pointed_ears", 0.5)
    curl = draw.real("tail", -0.35, 0.5)
    tail = tube(
        spline(
            [
                (-half + 0.12, 0, 0.86),
                (-half - 0.05, 0, 0.84 + 0.2 * curl),
                (-half - 0.20, 0, 0.76 + 0.7 * curl),
                (-half - 0.26, 0, 0.72 + 1.2 * curl),
            ],
            9,
        ),
        np.linspace(0.05, 0.02, 9),
        8,
        round_ends=True,
    )
    swing = 0.15 * np.array([np.sin(phase), -np.sin(phase)])
    legs = [_leg((half - 0.19, s * 0.10, 0.66), swing[k], False, bulk) for k, s in enumerate((-1, 1))]
    legs += [_leg((-half + 0.19, s * 0.10, 0.70), swing[1 - k], True, bulk) for k, s in enumerate((-1, 1))]
    head, nose = _head(half, pointed)
    collar = tube(np.array([(half - 0.01, 0, 1.01), (half + 0.012, 0, 1.04)]), np.array([(0.10, 0.122), (0.098, 0.118)]), 14)
    coat = draw.color("coat", COATS, None, 0.02)
    return grounded(
        [
            Part("fur", hair(coat), join(trunk, neck, head, tail, *legs).scaled(height), 70),
            Part("skin_nose", Look((0.012, 0.011, 0.011), 0.2, 0.4), nose.scaled(height), 70),
            Part(
                "cloth_collar",
                Look(draw.color("collar", ((0.45, 0.02, 0.02), (0.02, 0.08, 0.35), (0.05, 0.05, 0.05)), None, 0.02), 0.4, 0.7),
                collar.scaled(height),
            ),
        ]
    )
