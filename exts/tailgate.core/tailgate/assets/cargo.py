"""Things of a warehouse: pallets, boxes, drums, hand trucks' loads.

Sizes: EUR pallet 1.2 × 0.8 × 0.144 m (EN 13698-1), ISO pallet 1.2 × 1.0 m (ISO 6780); boxes on the 600 × 400 mm module (ISO 3394);
steel drum of 200 l 0.585 × 0.88 m (ISO 15750-2); plastic crate 0.6 × 0.4 × 0.22-0.32 m (EN 13199).
"""

from __future__ import annotations

import numpy as np

from tailgate.assets.draw import Color, Draw
from tailgate.assets.looks import WOOD, Look, Part, paint, plastic
from tailgate.assets.mesh_kit import Mesh, box, extrude, join, lathe, rod
from tailgate.assets.write import grounded

CARDBOARD: tuple[Color, ...] = ((0.42, 0.27, 0.14), (0.36, 0.22, 0.11), (0.50, 0.35, 0.20), (0.62, 0.60, 0.56))


def pallet_boards(length: float, width: float, jitter: np.random.Generator) -> Mesh:
    """Boards and blocks of a four-way pallet, 0.144 m high."""
    boards = []
    wobble = lambda: jitter.uniform(-0.004, 0.004)  # noqa: E731
    for y in (-width / 2 + 0.05, 0.0, width / 2 - 0.05):
        boards.append(box((length, 0.10 if y else 0.145, 0.022), (wobble(), y, 0.011), 0.002))
        boards += [box((0.145, 0.10 if y else 0.145, 0.078), (x, y, 0.061), 0.003) for x in (-length / 2 + 0.0725, 0.0, length / 2 - 0.0725)]
    boards += [box((0.145, width, 0.022), (x, wobble(), 0.111), 0.002) for x in (-length / 2 + 0.0725, 0.0, length / 2 - 0.0725)]
    count = 5
    pitch = (width - 0.145) / (count - 1)
    boards += [box((length, 0.145 if k % 2 == 0 else 0.10, 0.022), (wobble(), -width / 2 + 0.0725 + k * pitch, 0.133), 0.002) for k in range(count)]
    return join(*boards)


def carton(size: tuple[float, float, float], gap: float = 0.004) -> tuple[Mesh, Mesh]:
    """A closed box with the seam between its flaps, and its tape; base at z = 0."""
    x, y, z = size
    body = box((x, y, z - 0.006), (0, 0, (z - 0.006) / 2), 0.004)
    flaps = box((x - 0.002, y / 2 - gap, 0.006), (0, y / 4 + gap / 4, z - 0.003), 0.001).with_mirror()
    tape = join(
        box((x * 0.999, 0.05, 0.0015), (0, 0, z + 0.0005)), *(box((0.0015, 0.05, 0.09), (s * (x / 2 + 0.0005), 0, z - 0.045)) for s in (-1, 1))
    )
    return join(body, flaps), tape


def build_box(draw: Draw) -> list[Part]:
    """A cardboard box with flaps, tape and label; ``length``, ``width``, ``height`` [m], ``open`` flaps."""
    size = draw.real("length", 0.15, 0.95, 0.4), draw.real("width", 0.12, 0.7, 0.33), draw.real("height", 0.10, 0.75, 0.3)
    look = Look(draw.color("color", CARDBOARD, (4, 3, 3, 1), 0.02), 0.6, 0.9)
    label = join(
        box((0.001, min(0.12, size[1] * 0.5), min(0.09, size[2] * 0.4)), (size[0] / 2 + 0.001, size[1] * 0.15, size[2] * 0.6)),
        box((min(0.2, size[0] * 0.4), 0.001, size[2] * 0.35), (-size[0] * 0.1, -size[1] / 2 - 0.001, size[2] * 0.45)),
    )
    labels = Part("paper_label", Look((0.72, 0.72, 0.70), 0.7, 0.8), label)
    if not draw.chance("open", 0.2):
        body, tape = carton(size)
        return grounded([Part("cardboard", look, body), Part("plastic_tape", Look((0.40, 0.28, 0.13), 0.45, 0.3), tape), labels])
    x, y, z = size
    t, panels = 0.006, []
    for s in (-1, 1):
        panels += [box((t, y, z), (s * (x - t) / 2, 0, z / 2)), box((x, t, z), (0, s * (y - t) / 2, z / 2))]
        panels.append(box((t, y * 0.97, y / 2), (0, 0, y / 4)).turned("y", s * draw.real(f"flap_{s}", 60, 125)).moved(s * x / 2, 0, z - t))
        panels.append(box((x * 0.97, t, y / 2), (0, 0, y / 4)).turned("x", -s * draw.real(f"flap_{s}y", 60, 125)).moved(0, s * y / 2, z - t))
    return grounded([Part("cardboard", look, join(box((x, y, t), (0, 0, t / 2)), *panels)), labels])


def build_pallet(draw: Draw) -> list[Part]:
    """An empty or loaded pallet; ``load`` none, cartons or sacks; ``layers`` of cartons."""
    width = 0.8 if draw.choice("standard", ("eur", "iso"), (0.7, 0.3)) == "eur" else 1.0
    boards = pallet_boards(1.2, width, draw.stream("boards"))
    wood = Look(draw.color("color", ((0.42, 0.29, 0.17), (0.33, 0.27, 0.20), (0.50, 0.37, 0.22)), None, 0.02), WOOD.reflectance, 0.85)
    parts = [Part("wood", wood, boards)]
    load, layers, stream = draw.choice("load", ("none", "cartons", "stack"), (0.45, 0.4, 0.15)), draw.integer("layers", 1, 4), draw.stream("load")
    if load == "stack":
        parts = [
            Part(
                "wood",
                wood,
                join(
                    *(
                        boards.turned("z", stream.uniform(-1.5, 1.5)).moved(stream.uniform(-0.015, 0.015), stream.uniform(-0.015, 0.015), 0.144 * k)
                        for k in range(layers + 2)
                    )
                ),
            )
        ]
    if load == "cartons":
        parts += carton_stack(width, layers, Look(draw.color("carton_color", CARDBOARD, None, 0.02), 0.6, 0.9), stream)
    return grounded(parts)


def carton_stack(width: float, layers: int, look: Look, stream: np.random.Generator) -> list[Part]:
    """Cartons of 0.4 × width/2 × 0.3 m on a pallet of 1.2 m × ``width``; the top layer may have gaps."""
    body, tape = carton((0.395, width / 2 - 0.01, 0.30))
    bodies, tapes = [], []
    for k in range(layers):
        for x, y in ((x, y) for x in (-0.4, 0.0, 0.4) for y in (-width / 4, width / 4)):
            if 0 < k == layers - 1 and stream.random() < 0.25:
                continue
            turn = stream.uniform(-1.2, 1.2)
            bodies.append(body.turned("z", turn).moved(x, y, 0.146 + 0.302 * k))
            tapes.append(tape.turned("z", turn).moved(x, y, 0.146 + 0.302 * k))
    return [Part("cardboard", look, join(*bodies)), Part("plastic_tape", Look((0.40, 0.28, 0.13), 0.45, 0.3), join(*tapes))]


def build_drum(draw: Draw) -> list[Part]:
    """A 200-litre drum of steel or plastic."""
    r, h = 0.2925, draw.real("height", 0.85, 0.95, 0.88)
    hoops = [
        (r, 0.0),
        (r + 0.006, 0.012),
        (r, 0.024),
        (r - 0.008, 0.04),
        (r - 0.008, h * 0.31),
        (r + 0.005, h * 0.335),
        (r - 0.008, h * 0.36),
        (r - 0.008, h * 0.64),
        (r + 0.005, h * 0.665),
        (r - 0.008, h * 0.69),
        (r - 0.008, h - 0.04),
        (r, h - 0.024),
        (r + 0.006, h - 0.012),
        (r, h),
        (r - 0.012, h),
        (r - 0.014, h - 0.018),
    ]
    bungs = [rod((x, 0, h - 0.02), (x, 0, h + 0.006), q, 12) for x, q in ((0.2, 0.035), (-0.2, 0.02))]
    color = draw.color("color", ((0.02, 0.09, 0.34), (0.45, 0.02, 0.02), (0.05, 0.22, 0.08), (0.60, 0.42, 0.02), (0.10, 0.10, 0.11)), None, 0.02)
    steel = draw.chance("steel", 0.6)
    body = lathe([(0, 0), *hoops, (0, h - 0.018)], 30)
    return grounded([Part("paint" if steel else "plastic", paint(color) if steel else plastic(color), join(body, *bungs))])


def build_crate(draw: Draw) -> list[Part]:
    """A plastic stacking crate with open handles and ribs; ``height`` [m]."""
    x, y, h = 0.60, 0.40, draw.real("height", 0.17, 0.34, 0.25)

    def wall(span: float) -> Mesh:
        grip = [(0.07, h), (0.07, h - 0.03), (0.06, h - 0.075)]
        return extrude([(-span / 2, 0), (span / 2, 0), (span / 2, h), *grip, *((-a, b) for a, b in grip[::-1]), (-span / 2, h)], 0.012)

    long = wall(x)
    short = wall(y).turned("z", 90)
    pieces = [
        long.moved(y=y / 2 - 0.006).with_mirror(),
        short.moved(x=x / 2 - 0.006),
        short.moved(x=-x / 2 + 0.006),
        box((x, y, 0.012), (0, 0, 0.006)),
    ]
    pieces += [box((0.012, 0.012, h - 0.05), (px, y / 2 + 0.004, h / 2 - 0.02)).with_mirror() for px in np.linspace(-0.25, 0.25, 6)]
    pieces += [box((0.012, 0.012, h - 0.05), (s * (x / 2 + 0.004), py, h / 2 - 0.02)) for py in (-0.15, -0.1, 0.1, 0.15) for s in (-1, 1)]
    pieces.append(box((x + 0.02, 0.02, 0.02), (0, y / 2, h - 0.012)).with_mirror())
    color = draw.color("color", ((0.03, 0.10, 0.40), (0.48, 0.03, 0.02), (0.05, 0.25, 0.10), (0.13, 0.13, 0.14), (0.65, 0.30, 0.02)), None, 0.02)
    return grounded([Part("plastic", plastic(color), join(*pieces))])
