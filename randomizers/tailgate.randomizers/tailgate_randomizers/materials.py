"""materials.surfaces: colours, roughness and LiDAR reflectance of what stands there and of the scene itself; wetness and snow."""

from __future__ import annotations

import colorsys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from tailgate.config.setting import Setting
from tailgate.randomize.protocol import BaseRandomizer, Drawing, Drawn, PoolScene, SampleContext, Streams
from tailgate.randomize.slots import AssetSlot, Part
from tailgate.stage.extract import OBJECTS
from tailgate.stage.images import luminance
from tailgate.stage.layers import FrameLayer, plain

from tailgate_randomizers.make import choice, ranged, rounded

PAINTS: dict[str, tuple[float, float, float]] = {
    "white": (0.78, 0.78, 0.76),
    "black": (0.012, 0.012, 0.014),
    "grey": (0.13, 0.135, 0.14),
    "silver": (0.46, 0.47, 0.48),
    "blue": (0.03, 0.08, 0.26),
    "red": (0.38, 0.02, 0.02),
    "green": (0.04, 0.13, 0.06),
    "brown": (0.14, 0.08, 0.04),
    "yellow": (0.75, 0.48, 0.03),
    "orange": (0.65, 0.17, 0.02),
}
"""Linear RGB of car paints; weights follow the world market of 2023 as published by Axalta (white 36 %, black 21 %, grey 16 %, silver 8 % …)."""
PAINT_WEIGHTS = (0.36, 0.21, 0.16, 0.08, 0.09, 0.05, 0.015, 0.02, 0.01, 0.005)
VEHICLES = ("car", "truck", "van", "bus", "trailer", "motorcycle", "motorcyclist")
RECOLOURED = ("paint", "cloth", "ceramic", "cardboard", "card", "paper", "plastic")
"""Families whose colour is free; the others (skin, rubber, glass, metal, wood, fruit …) keep theirs but for brightness."""
KEPT = ("traffic_cone", "barrel", "barrier", "sign", "construction_worker", "box", "pallet")
"""Classes whose colours carry meaning."""

GROUND = ("asphalt", "road", "grass", "ground", "sidewalk", "pavement", "paving", "concrete", "lawn", "soil", "leaf")
"""Words in the names of materials that snow covers."""


@dataclass(frozen=True)
class _Base:
    """One material of the base scene: path of its shader's inputs and its own values."""

    material: str
    shader: str
    part: Part


class Surfaces(BaseRandomizer):
    """Recolours painted, plastic and cloth parts of every shown object; shifts brightness, warmth and roughness of the scene's own materials.

    Rain darkens rough surfaces by up to half and smooths them (Lekner & Dorf 1988 explain the darkening by internal reflection), and lowers
    their reflectance at 905 nm; snow covers ground-like materials. Metal, glass and retroreflectors keep their nature.

    Options:
        keep: asset classes whose colours carry meaning and stay as modelled but for brightness.
        scene: false leaves the base scene's own materials alone.
    """

    name: ClassVar[str] = "materials.surfaces"
    level: ClassVar[str] = "object"
    options: ClassVar[tuple[str, ...]] = ("keep", "scene")

    def __init__(self, setup):
        super().__init__(setup)
        self._base: list[_Base] = []

    def defaults(self) -> dict[str, Setting]:
        """Car paint, hue and brightness of other parts, brightness and warmth of the scene, roughness, reflectance and wetness."""
        return {
            "car_paint": choice(tuple(PAINTS), PAINT_WEIGHTS),
            "hue": ranged(0, 1),
            "saturation": ranged(0.0, 0.7, shape=(1.2, 2.6)),
            "brightness": ranged(0.02, 0.75, shape=(1.1, 2.2)),
            "scene_brightness": ranged(0.7, 1.35),
            "scene_warmth": ranged(-0.08, 0.08),
            "roughness": ranged(0.75, 1.25),
            "reflectance": ranged(0.75, 1.25),
            "wetness": ranged(0.35, 1.0),
        }

    def author(self, scene: PoolScene) -> None:
        """Declare every material input that may change, with its present value as the default."""
        frame = scene.layers.frame
        for slot in scene.slots:
            for part in slot.shape.parts:
                _declare(frame, f"{slot.path}/Looks/{part.name}", f"{slot.path}/Looks/{part.name}/Surface", part)
        if self.option("scene", True):
            self._base = read_base(scene)
            for entry in self._base:
                _declare(frame, entry.material, entry.shader, entry.part)

    def sample(self, ctx: SampleContext, streams: Streams) -> Drawn:
        """New colour, roughness and reflectance for the scene's materials and the parts of every object that is shown."""
        draw = ctx.drawing(streams)
        wet = draw("wetness") if ctx.given.get("wet") else 0.0
        snow = wet if ctx.given.get("weather") == "snow" else 0.0
        factors = (draw("scene_brightness"), draw("scene_warmth"), draw("roughness"), draw("reflectance"))
        scene = [_scene_look(e.part, factors, streams("base", e.material), (0.0 if snow else wet, snow)) for e in self._base]
        keep = self.option("keep", KEPT)
        objects = {p.slot.name: [_object_look(p.slot, part, draw, (wet, p.slot.asset_class in keep)) for part in _varied(p.slot)] for p in ctx.placed}
        return Drawn({"scene": scene, "objects": objects}, draw.draws)

    def apply(self, frame: FrameLayer, values: Mapping[str, Any], tick: int) -> None:
        """Write the looks."""
        for entry, look in zip(self._base, values["scene"], strict=True):
            _write(frame, entry.material, entry.shader, look)
        for slot, looks in values["objects"].items():
            for look in looks:
                material = f"{OBJECTS}/{slot}/Looks/{look[0]}"
                _write(frame, material, f"{material}/Surface", look[1:])


def read_base(scene: PoolScene) -> list[_Base]:
    """Materials of the base scene with a constant UsdPreviewSurface colour, by path."""
    from pxr import UsdShade
    from tailgate.stage.materials import surface_shader

    found = []
    for prim in scene.layers.stage.Traverse():
        if not prim.IsA(UsdShade.Material):
            continue
        shader = surface_shader(UsdShade.Material(prim))
        color = shader.GetInput("diffuseColor") if shader else None
        if not color or color.HasConnectedSource() or color.Get() is None:
            continue
        rough, reflectance = shader.GetInput("roughness"), prim.GetAttribute("tailgate:reflectance")
        rgb = tuple(plain(color.Get()))
        part = Part(
            prim.GetName(),
            rgb,
            float(rough.Get()) if rough and rough.Get() is not None else 0.5,
            float(reflectance.Get()) if reflectance and reflectance.HasAuthoredValue() else luminance(rgb),
        )
        found.append(_Base(str(prim.GetPath()), str(shader.GetPath()), part))
    return sorted(found, key=lambda e: e.material)


def _declare(frame: FrameLayer, material: str, shader: str, part: Part) -> None:
    frame.declare(f"{shader}.inputs:diffuseColor", "color3f", list(part.color))
    frame.declare(f"{shader}.inputs:roughness", "float", part.roughness)
    frame.declare(f"{material}.tailgate:reflectance", "float", part.reflectance, custom=True)


def _write(frame: FrameLayer, material: str, shader: str, look: list[float]) -> None:
    frame.write(f"{shader}.inputs:diffuseColor", list(look[:3]))
    frame.write(f"{shader}.inputs:roughness", look[3])
    frame.write(f"{material}.tailgate:reflectance", look[4])


def _look(color: np.ndarray, roughness: float, reflectance: float, most: float = 0.97) -> list[float]:
    return rounded([*np.clip(color, 0.002, 0.95), np.clip(roughness, 0.03, 1.0), np.clip(reflectance, 0.01, most)])


def _scene_look(part: Part, factors: tuple[float, ...], generator: np.random.Generator, covered: tuple[float, float]) -> list[float]:
    """Look of a scene material: common factors, a little of its own, then water or snow."""
    brightness, warmth, rough, reflect = factors
    wet, snow = covered
    own = generator.uniform(0.9, 1.1, 3)
    color = np.array(part.color) * brightness * own[0] * np.array([1 + warmth, 1.0, 1 - warmth])
    roughness, reflectance = part.roughness * rough * own[1], part.reflectance * reflect * own[2]
    if wet > 0 and part.roughness > 0.4:
        color, roughness, reflectance = color * (1 - 0.45 * wet), roughness * (1 - 0.55 * wet), reflectance * (1 - 0.4 * wet)
    if snow > 0 and _ground_like(part.name):
        cover = 0.85 * snow
        color = color * (1 - cover) + cover * np.array([0.82, 0.85, 0.9])
        reflectance = reflectance * (1 - cover) + cover * 0.85
    return _look(color, roughness, reflectance, 0.97 if part.reflectance <= 1 else np.inf)


def _ground_like(name: str) -> bool:
    return any(word in name.lower() for word in GROUND)


def family(part: str) -> str:
    """What a part is made of: the first word of its name."""
    return part.split("_")[0].lower()


def _varied(slot: AssetSlot) -> list[Part]:
    return [p for p in slot.shape.parts if family(p.name) not in ("retro", "lamp")]


def _is_free(slot: AssetSlot, part: Part) -> bool:
    """True if a part may take any colour: dark plastic and the plastic of vehicles are what they are."""
    kind = family(part.name)
    return kind in RECOLOURED and not (kind == "plastic" and (slot.asset_class in VEHICLES or luminance(part.color) < 0.05))


def _object_look(slot: AssetSlot, part: Part, draw: Drawing, cover: tuple[float, bool]) -> list[Any]:
    """``[part, r, g, b, roughness, reflectance]`` of one part of an object; ``cover`` = wetness and whether its colours are kept."""
    wet, kept = cover
    kind, key = family(part.name), f"{slot.name}/{part.name}"
    shade = float(draw.streams("shade", key).uniform(0.9, 1.1))
    color, reflectance = np.array(part.color) * shade, part.reflectance
    if not kept and kind == "paint" and slot.asset_class in VEHICLES:
        color = np.array(PAINTS[draw("car_paint", slot.name)]) * shade
        reflectance = 0.08 + 0.6 * luminance(color)
    elif not kept and _is_free(slot, part):
        generator = draw.streams("part", key)
        hue, saturation, brightness = (draw(name, key, generator) for name in ("hue", "saturation", "brightness"))
        rgb = np.array(colorsys.hsv_to_rgb(hue, saturation, 1.0)) ** 2.2
        color = rgb * brightness
        reflectance = part.reflectance + (0.15 if kind == "cloth" else 0.5) * (luminance(color) - luminance(part.color))
    roughness = part.roughness * (1 - 0.35 * wet if part.roughness > 0.4 else 1.0)
    look = _look(color * (1 - 0.25 * wet * (kind == "cloth")), roughness, reflectance * (1 - 0.2 * wet))
    return [part.name, *look]
