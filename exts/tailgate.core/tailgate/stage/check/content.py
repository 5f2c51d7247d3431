"""What a stage shows and how it is lit: geometry, composition, textures, lights, cameras, and what the renderer passes over."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

from tailgate.errors import UserError, close_file
from tailgate.stage.cameras import read_camera, stage_cameras
from tailgate.stage.check.finding import Finding
from tailgate.stage.composition import UNREADABLE, composition_errors, unloaded
from tailgate.stage.extract import world_correction
from tailgate.stage.light_checks import light_prims
from tailgate.stage.lights import emission, read_lights, unbounded
from tailgate.stage.materials import GLOW
from tailgate.stage.walk import Notes

if TYPE_CHECKING:
    from pxr import Usd

    from tailgate.stage.check.survey import Survey

MANY = 5_000_000
"""From this many different triangles on, reading a stage and building its trees takes more than ten seconds."""
SECONDS, GIGABYTES = 2.5, 0.3
"""Of one core and of memory per million triangles, measured with a mesh of ten million (``benchmarks/large.py``)."""


def check_composition(stage: Usd.Stage) -> list[Finding]:
    """Missing files and prims, and cycles; a format that only another USD reads is a warning."""
    out, expected = [], "what it was to bring in is missing"
    for path, words in composition_errors(stage):
        if UNREADABLE in words:
            out.append(Finding("composition", "warning", words, expected, "convert it, or render where it is known, as in Isaac Sim", path))
        else:
            out.append(Finding("composition", "problem", words, expected, "mend the path, or remove the arc or deactivate the prim", path))
    if left_out := unloaded(stage):
        words = "its payload is not loaded"
        out.append(Finding("composition", "warning", words, expected, "load it, or unload it on purpose", left_out[0], tuple(left_out[1:])))
    return out


def check_geometry(survey: Survey) -> list[Finding]:
    """Nothing to show, broken meshes, faces without area, and how many triangles there are."""
    found = [Finding("geometry", "warning", line) for line in survey.notes.about("geometry")]
    if not survey.shapes:
        words, mend = "the stage shows nothing", "check visibility and purpose"
        return [Finding("geometry", "problem", words, "it must show at least one mesh or solid", mend), *found]
    flat = [s for s in survey.shapes if s.flat > 0.01 * s.triangles]
    if flat:
        worst = max(flat, key=lambda s: s.flat)
        words = f"{worst.flat:,} of {worst.triangles:,} triangles have no area"
        others = tuple(s.path for s in flat if s is not worst)
        found.append(Finding("geometry", "note", words, "they are not seen", prim=worst.path, others=others))
    read_once = sum(s.triangles for s in survey.shapes)
    if read_once > MANY:
        words = f"{read_once / 1e6:.1f} million triangles"
        expected = f"reading them takes about {SECONDS * read_once / 1e6:.0f} s and {GIGABYTES * read_once / 1e6:.1f} GB per worker"
        found.append(Finding("geometry", "warning", words, expected, "simplify what is far from every context, or use fewer --workers"))
    return found


def check_textures(survey: Survey) -> list[Finding]:
    """Images that materials name and that cannot be read."""
    missing: dict[str, list[str]] = defaultdict(list)
    for reader in survey.arrays.readers.values():
        for texture in reader.textures.values():
            if survey.arrays.images.get(texture.path) is None:
                missing[texture.path or "without a name"].append(reader.path)
    expected, mend = "magenta or its fallback is shown", "mend the path"
    folder = Path(survey.stage.GetRootLayer().realPath or Path.cwd() / "stage").parent
    return [
        Finding("textures", "warning", f"image {file} cannot be read{close_file(folder / file)}", expected, mend, first, tuple(others))
        for file, (first, *others) in sorted((file, sorted(set(users))) for file, users in missing.items())
    ]


def check_lights(survey: Survey) -> list[Finding]:
    """Whether the stage is lit, and lights that emit nothing."""
    notes = Notes()
    lights = light_prims(survey.stage, notes)
    found = [
        *(Finding("lights", "warning", line) for line in notes.about("lights")),
        *(Finding("lights", "note", line) for line in notes.about("renderer")),
    ]
    for prim in (p for p in lights if not emission(p).any()):
        words = "the light's intensity or colour is negative" if unbounded(prim).min() < 0 else "the light has no intensity or a black colour"
        found.append(Finding("lights", "warning", words, "it emits nothing", prim=str(prim.GetPath())))
    shine = shining(survey)
    if not shine and not survey.arrays.material_table()[:, GLOW].any():
        words = "no light shines and nothing glows"
        mend = "use lighting.sun_sky or lighting.room in the scenario, or add a dome light"
        found.append(Finding("lights", "warning", words, "pictures are black unless the scenario brings its own light", mend))
    elif shine:
        words, mend = f"{len(shine)} light{'s' * (len(shine) > 1)} of the stage's own", "hide them if nights come out too bright"
        found.append(Finding("lights", "note", words, "they add to those of the scenario's lighting randomizer", mend))
    return found


def shining(survey: Survey) -> list[str]:
    """Paths of the visible lights that emit something."""
    from pxr import UsdGeom

    T, cache = world_correction(survey.stage), UsdGeom.XformCache(survey.time)
    out = []
    for prim in light_prims(survey.stage, Notes()):
        alone = read_lights([prim], cache, T)
        if alone.sun.any() or alone.sky.any() or len(alone.lamps) or alone.dome is not None:
            out.append(str(prim.GetPath()))
    return out


def check_cameras(stage: Usd.Stage) -> list[Finding]:
    """Cameras that make no image. A rig brings its own sensors, so none is needed."""
    found, notes = [], Notes()
    paths = stage_cameras(stage)
    for path in paths:
        try:
            read_camera(stage, path, 64, notes)
        except UserError as error:
            found.append(Finding("cameras", "note", error.message, "it is not used by runs, which bring their own rig"))
    if not paths:
        found.append(Finding("cameras", "note", "there is no camera", "none is needed, a run's rig brings its sensors"))
    return [*found, *(Finding("cameras", "note", line) for line in notes.sorted())]


def check_renderer(survey: Survey) -> list[Finding]:
    """What the embedded renderer passes over, each once by name."""
    return [Finding("renderer", "note", line) for line in survey.notes.about("renderer")]
