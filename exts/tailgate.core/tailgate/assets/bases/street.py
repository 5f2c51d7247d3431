"""A straight street in a town: lanes, kerbs, sidewalks, crosswalks, buildings, trees, hedges, lamps.

Sizes: lanes of 3.0-3.6 m, parking strips of 2.0-2.3 m, kerbs of 0.10-0.15 m, sidewalks of 2-4 m (NACTO Urban Street Design Guide 2013);
dashes of 3 m every 9 m, stripes of a zebra crossing 0.5 m wide (Vienna Convention on Road Signs and Signals 1968, annex 2); lamp posts of
6-9 m every 25-35 m (EN 13201).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tailgate.assets.bases.buildings import building, draw_house, fence
from tailgate.assets.bases.nature import GREENS, hedge, tree
from tailgate.assets.bases.scene import Scene, quads, sheet
from tailgate.assets.draw import Draw
from tailgate.assets.looks import DARK_METAL, METAL, MIRROR, Look, Part, lamp, plastic
from tailgate.assets.mesh_kit import box, join, lathe, rod, spline, tube

ASPHALT = Look((0.085, 0.085, 0.09), 0.17, 0.92)
PATCH = Look((0.05, 0.05, 0.054), 0.12, 0.9)
PAVING = Look((0.27, 0.26, 0.245), 0.35, 0.9)
KERB = Look((0.36, 0.35, 0.33), 0.4, 0.85)
MARKING = Look((0.72, 0.72, 0.70), 0.75, 0.6)
GRASS = Look((0.075, 0.115, 0.03), 0.45, 0.95)


@dataclass(frozen=True)
class Layout:
    """Cross section from the middle outwards, the same on both sides [m]."""

    length: float
    lanes: int
    lane: float
    parking: tuple[float, float]
    kerb: float
    sidewalk: float
    setback: float
    crossings: tuple[float, ...]

    def edge(self, side: int) -> float:
        """Distance of the kerb from the middle; side -1 is y < 0, +1 is y > 0."""
        return self.lanes * self.lane + self.parking[side > 0]

    def front(self, side: int) -> float:
        """Distance of the building line from the middle."""
        return self.edge(side) + 0.15 + self.sidewalk + self.setback

    @property
    def ends(self) -> tuple[float, float]:
        """x range of the road."""
        return -self.length / 2, self.length / 2


def author(scene: Scene, draw: Draw) -> None:
    """Fill ``scene``; parameters ``length``, ``lanes``, ``lane_width``, ``sidewalk_width``, ``floors``, ``trees``, ``hedges``, ``gaps`` and more."""
    length = draw.real("length", 120, 160, 150)
    strips = draw.choice("parking", ("none", "right", "left", "both"), (0.2, 0.2, 0.1, 0.5))
    width = draw.real("parking_width", 2.0, 2.3)
    crossings = np.array([0.16, -0.27])[: draw.integer("crosswalks", 1, 2)] * length
    layout = Layout(
        length=length,
        lanes=draw.integer("lanes", 1, 2),
        lane=draw.real("lane_width", 3.0, 3.6),
        parking=(width * (strips in ("right", "both")), width * (strips in ("left", "both"))),
        kerb=draw.real("kerb_height", 0.10, 0.15),
        sidewalk=draw.real("sidewalk_width", 2.0, 4.0, 2.8),
        setback=draw.real("setback", 0.2, 5.0, 2.0),
        crossings=tuple(float(x) for x in crossings),
    )
    _ground(scene, layout)
    _markings(scene, layout, draw)
    _buildings(scene, layout, draw)
    _greenery(scene, layout, draw)
    _furniture(scene, layout, draw)
    _mirror(scene, layout, draw)
    _contexts(scene, layout)


def _ground(scene: Scene, layout: Layout) -> None:
    x, right, left = layout.ends, layout.edge(-1), layout.edge(1)
    scene.add("road", "asphalt", ASPHALT, sheet((x[0] - 8, x[1] + 8), (-right, left), 0.0, 4.0))
    for s, edge in ((-1, right), (1, left)):
        gap, top = layout.front(s), layout.kerb
        kerb = box((layout.length + 16, 0.15, top + 0.2), (0, s * (edge + 0.075), (top - 0.2) / 2), 0.015)
        scene.add("sidewalk", "kerb", KERB, kerb)
        inner, outer = edge + 0.13, edge + 0.15 + layout.sidewalk
        span = (inner, outer) if s > 0 else (-outer, -inner)
        scene.add("sidewalk", "paving", PAVING, sheet((x[0] - 8, x[1] + 8), span, top, 3.0))
        joints = [quads(_strip((k, k + 0.012), span, top + 0.002)) for k in np.arange(x[0], x[1], 2.0)]
        scene.add("sidewalk", "joints", Look((0.13, 0.125, 0.12), 0.25, 0.95), join(*joints))
        garden = (outer, gap + 45.0) if s > 0 else (-gap - 45.0, -outer)
        scene.add("terrain", "grass", GRASS, sheet((x[0] - 50, x[1] + 50), garden, top - 0.01, 6.0))
    for sign in (-1, 1):
        far = (sign * x[1] + sign * 8, sign * (x[1] + 50))
        scene.add("terrain", "far", PAVING, sheet((min(far), max(far)), (-layout.front(-1), layout.front(1)), -0.005, 6.0))


def _strip(x: tuple[float, float], y: tuple[float, float], z: float) -> np.ndarray:
    """Corners of a level rectangle, [1, 4, 3]."""
    return np.array([[[x[0], y[0], z], [x[1], y[0], z], [x[1], y[1], z], [x[0], y[1], z]]])


def _markings(scene: Scene, layout: Layout, draw: Draw) -> None:
    """Centre, lane and edge lines, zebra crossings with stop lines, repair patches and manhole covers."""
    stripes, free = [], lambda x: all(abs(x - c) > 5.5 for c in layout.crossings)
    for k in range(-layout.lanes + 1, layout.lanes):
        stripes += [
            _strip((x, x + 3.0), (k * layout.lane - 0.06, k * layout.lane + 0.06), 0.004) for x in np.arange(*layout.ends, 9.0) if free(x + 1.5)
        ]
    for s in (-1, 1):
        y = s * layout.lanes * layout.lane
        stripes += [
            _strip((x, x + 4.0), (y - 0.06 - 0.16 * (s > 0), y + 0.06 - 0.16 * (s > 0)), 0.004) for x in np.arange(*layout.ends, 4.0) if free(x + 2)
        ]
    for c in layout.crossings:
        stripes += [_strip((c - 1.6, c + 1.6), (y, y + 0.5), 0.005) for y in np.arange(-layout.edge(-1) + 0.3, layout.edge(1) - 0.6, 1.0)]
        stripes.append(_strip((c - 3.0, c - 2.6), (-layout.lanes * layout.lane, -0.2), 0.005))
        stripes.append(_strip((c + 2.6, c + 3.0), (0.2, layout.lanes * layout.lane), 0.005))
    scene.add("road", "marking", MARKING, quads(np.concatenate(stripes)))
    stream = draw.stream("road")
    patches = []
    for _ in range(9):
        x, y = stream.uniform(*layout.ends), stream.uniform(-layout.edge(-1) + 1.2, layout.edge(1) - 1.2)
        w, d = stream.uniform(0.8, 7.0), stream.uniform(0.5, 1.2)
        patches.append(_strip((x, x + w), (y - d / 2, y + d / 2), 0.003))
    scene.add("road", "patch", PATCH, quads(np.concatenate(patches)))
    covers = [
        lathe([(0, 0.0), (0.33, 0.0), (0.33, 0.006), (0, 0.006)], 18).moved(x, stream.uniform(-2.5, 2.5), 0.002)
        for x in np.arange(layout.ends[0] + 12, layout.ends[1], 27.0)
    ]
    scene.add("road", "cover", DARK_METAL, join(*covers))


def _buildings(scene: Scene, layout: Layout, draw: Draw) -> None:
    """Two rows of buildings with gaps, and one across each end."""
    stream, furnishing, floors = draw.stream("buildings"), draw.stream("rooms"), draw.integer("floors", 2, 5)
    gap_share = draw.real("gaps", 0.0, 0.8, 0.3)
    for s in (-1, 1):
        x, line = layout.ends[0] - 6, layout.front(s)
        while x < layout.ends[1] + 2:
            width = stream.uniform(9, 21)
            house = draw_house(width, (max(1, floors - 1), floors + 1), stream)
            offset = line + stream.uniform(0.0, 1.5) * (layout.setback > 1)
            for part in building(house, stream, furnishing):
                mesh = (
                    part.mesh.moved(x, offset, layout.kerb - 0.1)
                    if s > 0
                    else part.mesh.turned("z", 180).moved(x + width, -offset, layout.kerb - 0.1)
                )
                scene.add("building", part.name, part.look, mesh)
            x += width + (stream.uniform(2.5, 9.0) if stream.random() < gap_share else 0.02)
    for s in (-1, 1):
        y = -layout.front(-1) - 4
        while y < layout.front(1) + 2:
            width = stream.uniform(11, 18)
            for part in building(draw_house(width, (max(1, floors - 1), floors + 1), stream), stream, furnishing):
                mesh = part.mesh.turned("z", -90 * s)
                scene.add("building", part.name, part.look, mesh.moved(s * (layout.ends[1] + 14), y + (width if s > 0 else 0), 0.0))
            y += width + 0.02


def _greenery(scene: Scene, layout: Layout, draw: Draw) -> None:
    """Street trees along the kerb; hedges, fences and shrubs in the front gardens."""
    stream, density = draw.stream("trees"), draw.real("trees", 0.0, 1.0, 0.6)
    species = []
    for k in range(3):
        height, slim = stream.uniform(6.5, 12.0), stream.uniform(0.9, 1.35)
        species.append(
            scene.prototype(f"tree_{k}", tree(height, height * stream.uniform(0.48, 0.66) / slim, slim, GREENS[int(stream.integers(4))], stream))
        )
    number = 0
    for s in (-1, 1):
        pitch, y = stream.uniform(9.0, 14.0), s * (layout.edge(s) + 0.15 + 0.65)
        for x in np.arange(layout.ends[0] + 4 + 3 * (s > 0), layout.ends[1], pitch):
            if stream.random() < density and all(abs(x - c) > 4 for c in layout.crossings):
                pose = (x + stream.uniform(-0.8, 0.8), y, layout.kerb, stream.uniform(0, 360), stream.uniform(0.85, 1.15))
                scene.place("vegetation", species[int(stream.integers(3))], f"tree_{number:02d}", pose)
                scene.add(
                    "terrain",
                    "tree_pit",
                    Look((0.10, 0.07, 0.045), 0.3, 0.95),
                    quads(_strip((pose[0] - 0.6, pose[0] + 0.6), (y - 0.5, y + 0.5), layout.kerb + 0.004)),
                )
                number += 1
    if layout.setback < 1.2:
        return
    share, green = draw.real("hedges", 0.0, 1.0, 0.5), GREENS[int(stream.integers(4))]
    for s in (-1, 1):
        y = s * (layout.edge(s) + 0.15 + layout.sidewalk + 0.45)
        for x in np.arange(layout.ends[0] + 3, layout.ends[1] - 3, 7.5):
            kind = stream.random()
            if kind < share:
                for part in hedge(6.2, stream.uniform(0.8, 1.5), 0.65, green, stream):
                    scene.add("vegetation", f"hedge_{part.name}", part.look, part.mesh.moved(x + 3, y, layout.kerb))
            elif kind < share + 0.3:
                part = fence(6.2, stream.uniform(0.8, 1.2), bool(stream.random() < 0.5))
                scene.add("fence", part.name, part.look, part.mesh.turned("z", 0 if s < 0 else 180).moved(x + 3, y, layout.kerb))


def lamp_post(height: float) -> list[Part]:
    """A lamp post whose arm reaches 1.6 m towards +y."""
    pole = lathe([(0, 0), (0.12, 0), (0.11, 0.9), (0.075, 1.0), (0.045, height - 0.4), (0, height - 0.4)], 12)
    arm = tube(spline([(0, 0, height - 0.5), (0, 0.25, height - 0.05), (0, 1.5, height + 0.05)], 9), 0.035, 8)
    head = box((0.28, 0.75, 0.11), (0, 1.75, height + 0.06), 0.03)
    return [
        Part("metal", Look((0.16, 0.17, 0.17), 0.3, 0.5), join(pole, arm, head)),
        Part("lens", lamp((0.8, 0.78, 0.7), 0.2), box((0.2, 0.5, 0.03), (0, 1.8, height))),
    ]


def _furniture(scene: Scene, layout: Layout, draw: Draw) -> None:
    """Lamp posts, cabinets, litter bins and crossing posts behind the kerb."""
    stream, height = draw.stream("furniture"), draw.real("lamp_height", 6.0, 9.0)
    post, number = scene.prototype("lamp_post", lamp_post(height)), 0
    for s in (-1, 1):
        for x in np.arange(layout.ends[0] + 8 + 14 * (s > 0), layout.ends[1], draw.real("lamp_pitch", 25, 35)):
            scene.place("pole", post, f"lamp_{number:02d}", (x, s * (layout.edge(s) + 0.5), layout.kerb, 0 if s < 0 else 180, 1.0))
            number += 1
        back = s * (layout.edge(s) + 0.15 + layout.sidewalk - 0.35)
        for x in stream.uniform(*layout.ends, size=4):
            scene.add("street_furniture", "cabinet", Look((0.20, 0.22, 0.20), 0.4, 0.6), box((1.1, 0.38, 1.25), (x, back, layout.kerb + 0.62), 0.02))
        for x in stream.uniform(*layout.ends, size=4):
            bin_body = join(lathe([(0, 0.3), (0.2, 0.3), (0.22, 0.95), (0.15, 1.0), (0, 1.0)], 14), rod((0, 0, 0), (0, 0, 0.4), 0.04, 8))
            scene.add("street_furniture", "bin", plastic((0.03, 0.12, 0.06)), bin_body.moved(x, s * (layout.edge(s) + 0.55), layout.kerb))
        for c in layout.crossings:
            pole = rod((c - 2.2 * s, s * (layout.edge(s) + 0.4), layout.kerb), (c - 2.2 * s, s * (layout.edge(s) + 0.4), layout.kerb + 3.1), 0.05, 10)
            head = join(*(box((0.24, 0.22, 0.26), (c - 2.2 * s, s * (layout.edge(s) + 0.4), layout.kerb + 2.3 + 0.28 * k), 0.03) for k in range(3)))
            scene.add("pole", "signal_post", DARK_METAL, pole)
            scene.add("pole", "signal_head", Look((0.02, 0.02, 0.02), 0.15, 0.6), head)


def traffic_mirror(height: float) -> list[Part]:
    """A convex mirror of 0.6 m on a post, facing +x; its radius of curvature is 2.2 m (usual for roads)."""
    rim, radius = 0.3, 2.2
    a = np.linspace(0, np.arcsin(rim / radius), 5)[::-1]
    dome = lathe([(radius * np.sin(t), radius * (np.cos(t) - np.cos(a[0]))) for t in a], 24).turned("y", 90)
    frame = lathe([(0, -0.02), (rim + 0.05, -0.02), (rim + 0.05, 0.01), (rim, 0.012), (0, -0.005)], 24).turned("y", 90)
    return [
        Part("mirror", MIRROR, dome.moved(0.08, 0, height)),
        Part("mirror_rim", plastic((0.85, 0.15, 0.012)), frame.moved(0.07, 0, height)),
        Part("mirror_post", METAL, rod((0, 0, 0), (0, 0, height + 0.2), 0.038, 10)),
    ]


def _mirror(scene: Scene, layout: Layout, draw: Draw) -> None:
    """A traffic mirror on one of the sidewalks of every second street."""
    stream = draw.stream("mirror")
    if draw.chance("traffic_mirror", 0.5):
        side = -1 if stream.random() < 0.5 else 1
        x, y = float(stream.uniform(-20, 20)), side * (layout.edge(side) + layout.sidewalk - 0.1)
        for part in traffic_mirror(float(stream.uniform(2.2, 2.8))):
            scene.add("street_furniture", part.name, part.look, part.mesh.turned("z", -45 * side).moved(x, y, layout.kerb))


def _line(x: tuple[float, float], y: float, z: float) -> np.ndarray:
    """Points every 5 m from x[0] to x[1], either way."""
    xs = np.linspace(x[0], x[1], int(abs(x[1] - x[0]) / 5) + 1)
    return np.column_stack([xs, np.full(len(xs), y), np.full(len(xs), z)])


def _contexts(scene: Scene, layout: Layout) -> None:
    """Lanes drive on the right; ego keeps 25 m from the road's start and leaves 60 m ahead."""
    low, high = layout.ends
    for k in range(layout.lanes):
        y = (k + 0.5) * layout.lane
        scene.spline(f"lane_forward_{k}", "lane", _line((low, high), -y, 0.0), layout.lane)
        scene.spline(f"lane_backward_{k}", "lane", _line((high, low), y, 0.0), layout.lane)
    scene.spline("ego", "ego", _line((low + 25, high - 60), -(layout.lanes - 0.5) * layout.lane, 0.0), 0.6)
    for s, name in ((-1, "right"), (1, "left")):
        ends = (low, high) if s < 0 else (high, low)
        middle = layout.edge(s) + 0.15 + layout.sidewalk * 0.58
        scene.spline(f"sidewalk_{name}", "sidewalk", _line(ends, s * middle, layout.kerb), layout.sidewalk * 0.75)
        inner, outer = layout.edge(s) + 0.25, layout.edge(s) + 0.05 + layout.sidewalk
        span = (inner, outer) if s > 0 else (-outer, -inner)
        scene.surface(f"sidewalk_surface_{name}", sheet((low, high), span, layout.kerb, 10.0), layout.sidewalk)
        if layout.parking[s > 0]:
            scene.spline(f"parking_{name}", "parking", _line(ends, s * (layout.edge(s) - layout.parking[s > 0] / 2), 0.0), layout.parking[s > 0])
    scene.surface("road_surface", sheet((low, high), (-layout.edge(-1), layout.edge(1)), 0.0, 10.0), layout.edge(-1) + layout.edge(1))
    for k, c in enumerate(layout.crossings):
        points = np.array([[c, y, 0.0] for y in np.linspace(-layout.edge(-1), layout.edge(1), 5)])
        scene.spline(f"crosswalk_{k}", "crosswalk", points, 3.0)
