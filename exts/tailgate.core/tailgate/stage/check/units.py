"""Is the unit that a stage declares the one it was modelled in? Heights of things whose size is known say so."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tailgate.assets.library import ASSET_CLASSES
from tailgate.stage.check.finding import Finding, figure, mark
from tailgate.stage.labels import direct_labels

if TYPE_CHECKING:
    from pxr import Usd

    from tailgate.stage.check.survey import Survey

UNITS = {1.0: "metres", 0.01: "centimetres", 0.001: "millimetres", 0.0254: "inches", 0.3048: "feet", 0.1: "decimetres"}
"""Usual units [m], in the order in which they are preferred."""
MARGIN = 2.5
"""A class is as high as its nominal height divided or multiplied by this."""
HEIGHTS: dict[str, tuple[float, float]] = {
    **{name: (spec.size[2] / MARGIN, spec.size[2] * MARGIN) for name, spec in ASSET_CLASSES.items()},
    "door": (1.8, 6.0), "chair": (0.6, 1.4), "table": (0.4, 1.2), "desk": (0.6, 1.3), "sofa": (0.5, 1.3), "bed": (0.3, 2.2), "shelf": (0.3, 3.0),
    "rack": (0.8, 14.0), "forklift": (1.8, 4.0), "teapot": (0.08, 0.35), "wheel": (0.15, 2.0), "tree": (1.5, 40.0), "building": (2.5, 400.0),
    "street_light": (3.0, 15.0), "traffic_light": (0.6, 8.0), "fire_hydrant": (0.4, 1.3), "parking_meter": (0.9, 2.0), "ambulance": (1.6, 3.5),
    "tractor": (1.5, 4.0), "train": (2.5, 6.0), "fence": (0.5, 4.0), "pillar": (1.5, 15.0), "keyboard": (0.005, 0.08), "laptop": (0.01, 0.4),
    "crate": (0.1, 1.5),
}  # fmt: skip
"""Lowest and highest plausible height of a class [m]: those of the asset library, and of furniture, vehicles and buildings by common standards."""
TELLING = {
    "person": ("person", "pedestrian", "human", "man", "woman", "worker"), "car": ("car", "sedan", "suv", "hatchback"), "van": ("van", "minivan"),
    "truck": ("truck", "lorry"), "bus": ("bus",), "bicycle": ("bicycle",), "motorcycle": ("motorcycle",), "wheelchair_user": ("wheelchair",),
    "stroller": ("stroller",), "traffic_cone": ("cone",), "pallet": ("pallet",), "mug": ("mug",), "bottle": ("bottle",), "door": ("door",),
    "chair": ("chair",), "teapot": ("teapot",), "forklift": ("forklift",), "ambulance": ("ambulance",), "tractor": ("tractor",),
    "wheel": ("wheel", "tyre"),
}  # fmt: skip
"""Words in the name of an unlabelled prim that tell its class; ambiguous ones such as box, can or sign are left out."""
SMALLEST, LARGEST = 0.03, 30_000.0
"""A scene is longer than a matchbox and shorter than a city [m]."""


@dataclass(frozen=True)
class Thing:
    """Something of a known class: its height as the stage declares it [m], and whether a label or only its name says what it is."""

    path: str
    known: str
    height: float
    labelled: bool

    def fits(self, factor: float) -> bool:
        """Whether the height is plausible were the unit ``factor`` times the declared one."""
        low, high = HEIGHTS[self.known]
        return low <= self.height * factor <= high

    def words(self, factor: float) -> str:
        """The thing and its height, for messages."""
        return f"{self.known.replace('_', ' ')} {self.path} is {metres(self.height * factor)} high"


def metres(length: float) -> str:
    """A length in the unit that reads best."""
    for unit, size in (("km", 1e3), ("m", 1.0), ("cm", 1e-2), ("mm", 1e-3)):
        if length >= size:
            return f"{figure(length / size)} {unit}"
    return f"{length * 1e3:.2g} mm"


def check_units(survey: Survey) -> list[Finding]:
    """Compare what is known of sizes with the declared unit."""
    from pxr import UsdGeom

    declared = float(UsdGeom.GetStageMetersPerUnit(survey.stage))
    found = [Finding("units", "warning", line, mend=RESOLVE) for line in survey.notes.about("units")]
    things = known_things(survey)
    if not survey.stage.HasAuthoredMetadata("metersPerUnit"):
        found.append(undeclared(survey, declared, things))
    guess = likely_unit(things, declared)
    if guess is not None:
        return [*found, wrong_unit(survey.stage, things, declared, guess)]
    odd: dict[str, list[Thing]] = defaultdict(list)
    for thing in (t for t in things if not t.fits(1.0) and t.labelled):
        odd[f"a {thing.known.replace('_', ' ')} {metres(thing.height)} high"].append(thing)
    for words, (thing, *others) in odd.items():
        mend = f"check {'their scales or labels' if others else 'its scale or its label'}"
        found.append(Finding("units", "warning", words, plausible(thing), mend, thing.path, tuple(t.path for t in others)))
    return [*found, *whole_scene(survey, declared, things)]


def undeclared(survey: Survey, declared: float, things: list[Thing]) -> Finding:
    """A stage that leaves its unit to USD: a warning that says what it would be in metres, but where its size or things of known size tell more."""
    told = bool(whole_scene(survey, declared, things)) or any(t.fits(1.0) for t in things)
    words = f"the stage declares no metersPerUnit, and USD takes {declared:g}"
    if survey.shapes and not told:
        length = float(np.max(survey.bounds[1] - survey.bounds[0]))
        words += f", which makes it {metres(length)} long; in metres it would be {metres(length / declared)}"
    mend = f"declare the unit it was modelled in with: {mark(survey.stage, '--meters-per-unit UNIT')}"
    return Finding("units", "note" if told else "warning", words, mend=mend)


RESOLVE = "give the prim a scale and a rotation that convert, and name the ops unitsResolve so that this is known to be meant"


def known_things(survey: Survey) -> list[Thing]:
    """Prims whose class is known and that show something: the labelled ones, and where none is those whose name tells."""
    from pxr import Usd

    labelled: list[Thing] = []
    named: list[Thing] = []
    walk = iter(Usd.PrimRange(survey.stage.GetPseudoRoot(), Usd.TraverseInstanceProxies()))
    for prim in walk:
        labels = direct_labels(prim, "class")[:1]
        name = class_of(labels) if labels else class_by_name(prim)
        height = height_of(survey, prim) if name else 0.0
        if name and height > 0:
            (labelled if labels else named).append(Thing(str(prim.GetPath()), name, height, bool(labels)))
            walk.PruneChildren()
    return labelled or named


def class_of(labels: list[str]) -> str | None:
    """Class of HEIGHTS that a label means, synonyms included."""
    for label in labels:
        key = re.sub(r"[\s.\-]+", "_", label.strip().lower())
        synonyms = {s: name for name, spec in ASSET_CLASSES.items() for s in spec.synonyms}
        name = synonyms.get(key, key)
        if name in HEIGHTS:
            return name
    return None


def class_by_name(prim: Usd.Prim) -> str | None:
    """Class that the first or last word of a prim's name tells, of prims that may hold shapes."""
    from pxr import UsdGeom

    if not prim.IsA(UsdGeom.Xformable):
        return None
    words = [w.lower() for w in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", prim.GetName())]
    return next((name for name, tell in TELLING.items() for w in (words[:1] + words[-1:]) if w in tell), None)


def height_of(survey: Survey, prim: Usd.Prim) -> float:
    """Height of what a prim shows [m]; unlike length and width, a row of cars under one label has that of a car."""
    shapes = survey.below(str(prim.GetPath()))
    if not shapes:
        return 0.0
    return float(max(s.high[2] for s in shapes) - min(s.low[2] for s in shapes))


def likely_unit(things: list[Thing], declared: float) -> float | None:
    """The usual unit [m] that suits the known things, where the declared one suits less than half of them; None where it does or none suits."""

    def suited(unit: float) -> float:
        return sum(t.fits(unit / declared) for t in things) / len(things)

    if not things or suited(declared) >= 0.5:
        return None
    best = max(UNITS, key=lambda unit: (suited(unit), -list(UNITS).index(unit)))
    return best if suited(best) >= max(2 / 3, suited(declared) + 1 / 3) else None


def wrong_unit(stage: Usd.Stage, things: list[Thing], declared: float, guess: float) -> Finding:
    """All known things are off by one factor."""
    off = [t for t in things if not t.fits(1.0)]
    others = f", and {len(off) - 1} more of {len(things)} things of known size do not fit either" if off[1:] else ""
    return Finding(
        "units", "problem", f"{off[0].words(1.0)} at metersPerUnit {declared:g}{others}",
        f"{plausible(off[0])}, and metersPerUnit {guess:g} ({UNITS[guess]}) makes it {metres(off[0].height * guess / declared)}",
        f"say so with: {mark(stage, f'--meters-per-unit {guess:g}')}",
    )  # fmt: skip


def plausible(thing: Thing) -> str:
    """What heights its class has."""
    low, high = HEIGHTS[thing.known]
    return f"{metres(low)} to {metres(high)} are plausible"


def whole_scene(survey: Survey, declared: float, things: list[Thing]) -> list[Finding]:
    """A scene too small or too large to be one, where nothing in it is known better."""
    low, high = survey.bounds
    length = float(np.max(high - low))
    if things or not survey.shapes or SMALLEST <= length <= LARGEST:
        return []
    own = length / declared
    likely = [f"{metres(own * unit)} in {name}" for unit, name in UNITS.items() if unit != declared and SMALLEST <= own * unit <= LARGEST]
    return [
        Finding(
            "units", "warning", f"the whole scene is {metres(length)} long at metersPerUnit {declared:g}",
            f"it would be {', '.join(likely[:3])}" if likely else f"{metres(SMALLEST)} to {metres(LARGEST)} are plausible",
            f"declare the unit it was modelled in with: {mark(survey.stage, '--meters-per-unit UNIT')}",
        )
    ]  # fmt: skip
