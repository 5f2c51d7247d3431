"""Human proportions and poses.

Segment lengths as fractions of stature after Drillis and Contini (1966), as printed in Winter, Biomechanics and Motor Control of Human
Movement (4th ed. 2009, fig. 4.1). Adult statures after ANSUR II (2012): men 1.756 ± 0.069 m, women 1.629 ± 0.064 m; children of
4-12 years after the CDC growth charts (2000): 1.02-1.49 m. Joint angles of walking follow the normal curves of Perry and Burnfield, Gait
Analysis (2010): hip -10..30°, knee 5..60°.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tailgate.assets.mesh_kit import unit


@dataclass(frozen=True)
class Body:
    """Sizes of one person.

    Attributes:
        stature: [m].
        girth: 0 slim … 1 stout.
        shoulders: shoulder width against the adult mean, 0.9..1.1.
        hips: hip width against the adult mean, 0.9..1.15.
    """

    stature: float
    girth: float = 0.35
    shoulders: float = 1.0
    hips: float = 1.0

    @property
    def head(self) -> float:
        """Head height, chin to vertex [m]: 0.23 at 1.75 m and 0.195 at 1.1 m."""
        return 0.14 + 0.05 * self.stature

    @property
    def unit(self) -> float:
        """Stature of the adult whose body below the chin is as tall [m]; all fractions below refer to it."""
        return (self.stature - self.head) / 0.87

    @property
    def thick(self) -> float:
        """Factor on limb and trunk thickness."""
        return 0.93 + 0.28 * self.girth


@dataclass(frozen=True)
class Pose:
    """Joint positions [m], right then left; ``pitch`` = forward lean [rad] of pelvis, chest and head; ``foot_pitch`` [rad], toes up positive."""

    pelvis: np.ndarray
    pitch: tuple[float, float, float]
    knees: np.ndarray
    ankles: np.ndarray
    elbows: np.ndarray
    wrists: np.ndarray
    foot_pitch: tuple[float, float] = (0.0, 0.0)


SIDES = (-1.0, 1.0)
THIGH, SHANK, UPPER_ARM, FOREARM = 0.245, 0.246, 0.186, 0.146


def spine(body: Body, pelvis: np.ndarray, pitch: Sequence[float], heights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Points [N, 3] and forward directions [N, 3] of the trunk at ``heights`` above the hip joints (fractions of the unit, from -0.1)."""
    s = np.linspace(-0.1, 0.4, 101)
    blend = np.clip(s / 0.24, 0, 1)
    angle = pitch[0] + (pitch[1] - pitch[0]) * blend * blend * (3 - 2 * blend)
    step = np.gradient(s) * body.unit
    x, z = np.cumsum(np.sin(angle) * step), np.cumsum(np.cos(angle) * step)
    x, z = x - np.interp(0, s, x), z - np.interp(0, s, z)
    a = np.interp(heights, s, angle)
    zero = np.zeros_like(a)
    points = np.stack([np.interp(heights, s, x), zero, np.interp(heights, s, z)], 1) + pelvis
    return points, np.stack([np.cos(a), zero, -np.sin(a)], 1)


def shoulders(body: Body, pelvis: np.ndarray, pitch: Sequence[float]) -> np.ndarray:
    """Shoulder joints [2, 3], right then left."""
    centre, _ = spine(body, pelvis, pitch, np.array([0.264]))
    return centre + np.array([[0, side * 0.108 * body.unit * body.shoulders, 0] for side in SIDES])


def hips(body: Body, pelvis: np.ndarray) -> np.ndarray:
    """Hip joints [2, 3], right then left."""
    return pelvis + np.array([[0, side * 0.050 * body.unit * body.hips, 0] for side in SIDES])


def reach(root: np.ndarray, target: np.ndarray, lengths: tuple[float, float], bend: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Two-bone inverse kinematics: the middle joint, bent towards ``bend``, and the end, pulled in where the target is out of reach."""
    line = target - root
    distance = float(np.clip(np.linalg.norm(line), abs(lengths[0] - lengths[1]) + 1e-3, sum(lengths) * 0.998))
    along = unit(line)
    side = unit(bend - along * (bend @ along))
    near = (lengths[0] ** 2 - lengths[1] ** 2 + distance**2) / (2 * distance)
    return root + along * near + side * np.sqrt(max(lengths[0] ** 2 - near**2, 0.0)), root + along * distance


def hinge(root: np.ndarray, angle: float, length: float, outward: float = 0.0) -> np.ndarray:
    """End of a bone that hangs from ``root``, swung forward by ``angle`` and sideways by ``outward`` [rad]."""
    down = np.array([np.sin(angle), np.sin(outward), -np.cos(angle) * np.cos(outward)])
    return root + length * unit(down)


def walking(body: Body, phase: float, vigour: float = 1.0) -> Pose:
    """One moment of the gait cycle.

    Args:
        body: the person.
        phase: 0..1 from the right heel's strike.
        vigour: 0 stands, 1 walks at about 1.4 m/s, 1.4 strides.
    """
    u, lean = body.unit, 0.03 + 0.03 * vigour
    pelvis = np.array([0.0, 0.0, 0.53 * u])
    joints, feet = hips(body, pelvis), []
    knees, ankles, elbows, wrists = (np.zeros((2, 3)) for _ in range(4))
    arms = shoulders(body, pelvis, (lean, lean))
    for k, side in enumerate(SIDES):
        p = (phase + 0.5 * k) % 1.0
        bump = lambda at, width, p=p: float(np.exp(-(((((p - at + 0.5) % 1.0) - 0.5) / width) ** 2)))  # noqa: E731
        hip = np.deg2rad(2 + vigour * (8 + 20 * np.cos(2 * np.pi * p)))
        knee = np.deg2rad(3 + vigour * (3 + 14 * bump(0.14, 0.08) + 54 * bump(0.72, 0.11)))
        knees[k] = hinge(joints[k], hip, THIGH * u, side * 0.02)
        ankles[k] = hinge(knees[k], hip - knee, SHANK * u)
        feet.append(np.deg2rad(vigour * (16 * bump(0.0, 0.07) - 42 * bump(0.6, 0.09) + 6 * bump(0.9, 0.1))))
        swing = np.deg2rad(vigour * (-4 - 21 * np.cos(2 * np.pi * p)) + 1)
        elbows[k] = hinge(arms[k], swing, UPPER_ARM * u, side * 0.13)
        wrists[k] = hinge(elbows[k], swing + np.deg2rad(10 + 16 * vigour - 10 * vigour * np.cos(2 * np.pi * p)), FOREARM * u, side * 0.02)
    return Pose(pelvis, (lean, lean, 0.0), knees, ankles, elbows, wrists, (feet[0], feet[1]))


@dataclass(frozen=True)
class Seat:
    """Where a seated person touches the vehicle: hip joint centre [3], ankle and wrist targets [2, 3] (right, left), leans [rad], elbow bend [3]."""

    pelvis: np.ndarray
    ankles: np.ndarray
    wrists: np.ndarray
    pitch: tuple[float, float, float]
    foot_pitch: tuple[float, float] = (0.0, 0.0)
    elbow_bend: tuple[float, float, float] = (-0.6, 0.5, -0.6)
    knee_bend: tuple[float, float, float] = (1.0, 0.1, 0.5)


def seated(body: Body, seat: Seat) -> Pose:
    """A pose whose hands and feet reach the seat's targets."""
    u = body.unit
    joints, arms = hips(body, seat.pelvis), shoulders(body, seat.pelvis, seat.pitch)
    outward = np.array([[1, side, 1] for side in SIDES])
    legs = [reach(joints[k], seat.ankles[k], (THIGH * u, SHANK * u), np.array(seat.knee_bend) * outward[k]) for k in (0, 1)]
    hands = [reach(arms[k], seat.wrists[k], (UPPER_ARM * u, FOREARM * u), np.array(seat.elbow_bend) * outward[k]) for k in (0, 1)]
    knees, ankles = (np.stack(v) for v in zip(*legs, strict=True))
    elbows, wrists = (np.stack(v) for v in zip(*hands, strict=True))
    return Pose(seat.pelvis, seat.pitch, knees, ankles, elbows, wrists, seat.foot_pitch)
