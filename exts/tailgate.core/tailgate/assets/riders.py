"""People on wheels: cyclist, motorcyclist, wheelchair user. Hands and feet reach the vehicle by inverse kinematics (see ``body.seated``)."""

from __future__ import annotations

import numpy as np

from tailgate.assets.body import Seat, seated
from tailgate.assets.draw import Draw
from tailgate.assets.figure import figure
from tailgate.assets.looks import Part
from tailgate.assets.people import draw_body, draw_clothes
from tailgate.assets.wheels import BicycleFit, WheelchairFit, bicycle_lamp, bicycle_parts, wheelchair_parts
from tailgate.assets.write import grounded


def build_cyclist(draw: Draw) -> list[Part]:
    """A person riding a bicycle; ``crank_angle`` 0..1 turns the pedals, ``lean`` [rad] the trunk."""
    body = draw_body(draw, "adult")
    scale = float(np.clip(body.stature / 1.75, 0.86, 1.1))
    fit = BicycleFit(draw, scale)
    lean = draw.real("lean", 0.25, 0.75, 0.45)
    wear = draw_clothes(
        draw, ("tshirt", "shirt", "jacket"), ("trousers", "trousers", "shorts"), ("helmet", "helmet", "short", "long", "cap", "hood"), 0.3
    )
    ankles = np.stack([fit.pedal(k) + [-0.05, -0.03 if k else 0.03, 0.039 * body.unit + 0.02] for k in (0, 1)])
    wrists = fit.grips + [-0.09, 0.0, 0.035]
    pelvis = fit.saddle + [0.02, 0, 0.075 * body.unit]
    pose = seated(body, Seat(pelvis, ankles, wrists, (lean * 0.8, lean, 0.12)))
    return grounded([*bicycle_parts(draw, fit), bicycle_lamp(fit), *figure(body, pose, wear)])


def build_wheelchair_user(draw: Draw) -> list[Part]:
    """A person in a manual wheelchair; ``hands`` on the push rims at ``push`` (-0.5 behind … 0.8 ahead of the top, rad) or on the lap."""
    body = draw_body(draw, "adult")
    fit = WheelchairFit(draw)
    wear = draw_clothes(
        draw, ("tshirt", "shirt", "jacket"), ("trousers", "trousers", "shorts"), ("short", "long", "bun", "cap", "beanie", "bald"), 0.0
    )
    lean = draw.real("lean", -0.12, 0.15, -0.03)
    pelvis = np.array([-0.10, 0, fit.seat + 0.025 + 0.066 * body.unit * body.thick])
    ankles = fit.feet + [-0.03, 0, 0.039 * body.unit - 0.02]
    push, lap = draw.real("push", -0.4, 0.8, 0.25), draw.choice("hands", ("rims", "lap"), (0.65, 0.35)) == "lap"
    rims = np.stack([fit.rim(k, push) + [-0.03, 0.0, 0.10] for k in (0, 1)])
    knees = np.array([[pelvis[0] + 0.17 * body.unit, side * 0.07, pelvis[2] + 0.085 * body.unit] for side in (-1, 1)])
    seat = Seat(pelvis, ankles, knees if lap else rims, (lean - 0.1, lean, 0.05), (0.0, 0.0), (-1.0, 0.6, -0.2), (1.0, 0.05, 1.0))
    return grounded([*wheelchair_parts(draw, fit), *figure(body, seated(body, seat), wear)])
