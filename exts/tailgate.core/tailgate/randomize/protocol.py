"""What a randomizer is, what it may look at while it draws, and what it hands back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, runtime_checkable

import numpy as np

from tailgate.config.budget import Budget, Cell, Prior
from tailgate.config.rig import ResolvedRig
from tailgate.config.scenario import Scenario
from tailgate.config.setting import Setting
from tailgate.distributions import Ranged, Value
from tailgate.frames import Frame
from tailgate.rng import rng as address_rng

if TYPE_CHECKING:
    from tailgate.randomize.queries import SceneQueries
    from tailgate.randomize.slots import AssetSlot
    from tailgate.randomize.views import RigViews
    from tailgate.stage.contexts import Context
    from tailgate.stage.layers import FrameLayer, SceneLayers

KINDS = ("scene", "sensor", "annotation")
LEVELS = ("global", "context", "object", "sensor")
"""In the order in which they are drawn (SDR, Prakash et al. 2019: scenario, global parameters, contexts, objects)."""


OPTION_KINDS: tuple[tuple[tuple[type, ...], str], ...] = (
    ((bool,), "true or false"),
    ((int, float), "a number"),
    ((str,), "text"),
    ((list, tuple), "a list"),
    ((dict,), "a mapping"),
)
"""Kinds of plain options, by the type of their default, in words."""


@dataclass(frozen=True)
class Setup:
    """What a randomizer is made from, once per scenario.

    Attributes:
        options: plain options of its entry in the scenario file.
        scenario, budget, rig: the resolved configuration.
    """

    options: Mapping[str, Any]
    scenario: Scenario
    budget: Budget
    rig: ResolvedRig


@dataclass(frozen=True)
class PoolScene:
    """What ``author`` works with: the layers, the base stage beneath them, the asset slots and the contexts."""

    layers: SceneLayers
    slots: tuple[AssetSlot, ...]
    contexts: tuple[Context, ...]


@dataclass(frozen=True)
class Streams:
    """The random streams of one component in one clip; each is a pure function of its address, so none moves another."""

    run_seed: int
    scenario: str
    round: int
    index: int
    attempt: int
    component: str

    def __call__(self, *object: str | int) -> np.random.Generator:
        """Return the generator of a sub-stream, such as ``streams("elevation")`` or ``streams("paint", slot.name)``."""
        name = "/".join(str(part) for part in object)
        return address_rng(self.run_seed, self.scenario, self.round, self.index, self.attempt, self.component, name)


@dataclass(frozen=True)
class Placed:
    """An object standing in the scene.

    Attributes:
        slot: the asset slot it uses.
        poses: (x, y, z, yaw) per tick, [m, m, m, deg], of the asset's origin (its ground contact) in the world.
        role: "target", "occluder", "distractor" or "neighbour".
        context: name of the context it stands in, or "".
    """

    slot: AssetSlot
    poses: tuple[tuple[float, float, float, float], ...]
    role: str
    context: str = ""

    def to_json(self) -> dict[str, Any]:
        """Plain data, as kept in ``Sample.values``."""
        return {"slot": self.slot.name, "poses": [list(p) for p in self.poses], "role": self.role, "context": self.context}

    def pose(self, tick: int) -> tuple[float, float, float, float]:
        """Pose at a tick; the last one holds for later ticks."""
        return self.poses[min(tick, len(self.poses) - 1)]


@dataclass(frozen=True)
class SampleContext:
    """All that ``sample`` may look at; read-only.

    Attributes:
        cell: the budget cell this clip is for, or None.
        settings: the randomizer's own settings by their short name.
        given: values drawn above, by name: ``light``, ``weather``, ``rain`` and what other randomizers export.
        priors: placement priors by output class.
        slots: asset slots of the pool.
        contexts: where objects may stand.
        views: sensors of the rig.
        queries: geometry of the base scene and the assets.
        rig_poses: T_world_rig per tick, float64 [4, 4] each; the identity until the camera level has drawn.
        placed: objects placed so far.
        ticks, tick_s: frames per clip and the time between them [s].
    """

    cell: Cell | None
    settings: Mapping[str, Setting]
    given: Mapping[str, Value]
    priors: Mapping[str, Prior]
    slots: tuple[AssetSlot, ...]
    contexts: tuple[Context, ...]
    views: RigViews
    queries: SceneQueries
    rig_poses: tuple[np.ndarray, ...]
    placed: tuple[Placed, ...] = ()
    ticks: int = 1
    tick_s: float = 0.1

    def drawing(self, streams: Streams) -> Drawing:
        """Start drawing."""
        return Drawing(self.settings, self.given, streams)

    def free_slots(self, classes: Sequence[str] = (), also_taken: Sequence[Placed] = ()) -> list[AssetSlot]:
        """Slots of these asset classes (all classes if none are named) that nothing placed so far uses, in pool order."""
        taken = {p.slot.name for p in (*self.placed, *also_taken)}
        return [s for s in self.slots if s.name not in taken and (not classes or s.asset_class in classes)]

    def with_draw(self, drawn: Drawn) -> SampleContext:
        """The context that lower levels see."""
        return replace(
            self,
            given={**self.given, **drawn.given, **drawn.conditions},
            rig_poses=drawn.rig_poses or self.rig_poses,
            placed=(*self.placed, *drawn.placed),
        )


@dataclass(frozen=True)
class Drawn:
    """What one randomizer drew for one clip.

    Attributes:
        values: JSON-able data for ``apply``.
        draws: short setting name, or ``name@object``, -> drawn value. Values that a cell or a prior pinned are not draws and are left out.
        given: named values for the levels below.
        conditions: such as ``light`` and ``weather``.
        hints: what a backend may honour or refuse by name: a number, or one per tick.
        sensors: sensor name -> response parameter -> value.
        placed: objects it put into the scene.
        rig_poses: T_world_rig per tick, if it moved the rig.
    """

    values: dict[str, Any] = field(default_factory=dict)
    draws: dict[str, Any] = field(default_factory=dict)
    given: dict[str, Value] = field(default_factory=dict)
    conditions: dict[str, str] = field(default_factory=dict)
    hints: dict[str, float | list[float]] = field(default_factory=dict)
    sensors: dict[str, dict[str, float]] = field(default_factory=dict)
    placed: tuple[Placed, ...] = ()
    rig_poses: tuple[np.ndarray, ...] = ()


class Drawing:
    """Draws settings and remembers what was drawn. Each setting has its own stream, so a changed distribution moves no other draw."""

    def __init__(self, settings: Mapping[str, Setting], given: Mapping[str, Value], streams: Streams):
        self.settings, self.given, self.streams = settings, given, streams
        self.draws: dict[str, Any] = {}

    def __call__(self, name: str, object: str = "", generator: np.random.Generator | None = None) -> Any:
        """Draw a setting (for one object); ``generator`` shares a stream among one object's many settings."""
        generator = generator if generator is not None else self.streams(name, object)
        value = self.settings[name].dist.sample(generator, self.given)
        self.draws[f"{name}@{object}" if object else name] = value
        return value

    def within(self, name: str, low: float, high: float, object: str = "") -> float:
        """Draw a setting inside [low, high], an interval that a cell pins; not recorded as a draw of the setting.

        The setting's own distribution is kept where its bounds meet the interval; elsewhere the draw is uniform in the interval.
        """
        generator, dist = self.streams(name, object), self.settings[name].dist
        if isinstance(dist, Ranged) and max(low, dist.low) < min(high, dist.high):
            low, high = max(low, dist.low), min(high, dist.high)
            for _ in range(64):
                value = dist.sample(generator)
                if low <= value <= high:
                    return value
        return float(generator.uniform(low, high))


@runtime_checkable
class Randomizer(Protocol):
    """A plugin that randomizes one thing. Registered in ``tailgate.registry.randomizers`` and made once per scenario from a ``Setup``.

    Attributes:
        name: family and topic, "lighting.sun_sky".
        kind: "scene", "sensor" or "annotation".
        level: "global", "context", "object" or "sensor".
        offers: conditions that it can make for a cell that pins them, such as ``{"light": ("day", "night")}``.
    """

    name: ClassVar[str]
    kind: ClassVar[str]
    level: ClassVar[str]
    offers: ClassVar[Mapping[str, Sequence[str]]]

    def defaults(self) -> dict[str, Setting]:
        """Settings by short name, before the scenario file replaces some."""

    def classes(self) -> list[str]:
        """Asset classes it needs in the pool beyond those of cells and distractors."""

    def author(self, scene: PoolScene) -> None:
        """Write what it needs into the pool layer and declare what it will change, once."""

    def sample(self, ctx: SampleContext, streams: Streams) -> Drawn:
        """Draw all values of one clip: a pure function of ``ctx`` and the streams."""

    def apply(self, frame: FrameLayer, values: Mapping[str, Any], tick: int) -> None:
        """Write the values of one tick; called inside ``FrameLayer.update``."""

    def annotate(self, frame: Frame, values: Mapping[str, Any]) -> dict[str, Any]:
        """Kind "annotation" only: labels of a frame as this annotator gives them, JSON-able; the frame and its true labels are not touched."""


class BaseRandomizer:
    """The parts of ``Randomizer`` that do nothing by default."""

    kind: ClassVar[str] = "scene"
    options: ClassVar[tuple[str, ...]] = ()
    offers: ClassVar[Mapping[str, Sequence[str]]] = {}

    def __init__(self, setup: Setup):
        from tailgate.errors import unknown

        self.setup = setup
        for option in setup.options:
            if option not in self.options:
                raise unknown(f"option of randomizer {self.name}", option, self.options)

    def option(self, name: str, default: Any) -> Any:
        """A plain option of the scenario file, or the default; one of another kind than the default is refused."""
        from tailgate.errors import UserError

        value = self.setup.options.get(name, default)
        for kinds, words in OPTION_KINDS:
            if isinstance(default, kinds):
                if not isinstance(value, kinds) or value != value:
                    raise UserError(f"option {name} of randomizer {self.name} must be {words}, got {value!r}")
                break
        return value

    def defaults(self) -> dict[str, Setting]:
        """No settings."""
        return {}

    def classes(self) -> list[str]:
        """No asset classes."""
        return []

    def author(self, scene: PoolScene) -> None:
        """Nothing to author."""

    def apply(self, frame: FrameLayer, values: Mapping[str, Any], tick: int) -> None:
        """Nothing to write."""

    def annotate(self, frame: Frame, values: Mapping[str, Any]) -> dict[str, Any]:
        """No labels of its own."""
        return {}
