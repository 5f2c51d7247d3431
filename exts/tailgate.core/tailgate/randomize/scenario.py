"""Opening a scenario: base scene, pool and frame layer, randomizers and their settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tailgate.config.bounds import check_bounds
from tailgate.config.budget import Budget
from tailgate.config.rig import ResolvedRig
from tailgate.config.scenario import OPEN_STAGE, Scenario, Use
from tailgate.config.setting import Setting
from tailgate.distributions import Choice, Conditional, Constant, Distribution
from tailgate.errors import UserError, Where, unknown
from tailgate.geometry.queries import static_scene
from tailgate.geometry.trace import TraceScene
from tailgate.randomize.protocol import LEVELS, PoolScene, Randomizer, Setup
from tailgate.randomize.queries import SceneQueries
from tailgate.randomize.slots import AssetSlot, Wanted, class_labels, fill_pool, wanted_classes
from tailgate.randomize.views import RigViews
from tailgate.registry import randomizers as registry
from tailgate.stage.check.contexts import none_found
from tailgate.stage.contexts import Context, read_contexts
from tailgate.stage.extract import RIG
from tailgate.stage.labels import stage_labels
from tailgate.stage.layers import IDENTITY, SceneLayers, open_base

if TYPE_CHECKING:
    from pxr import Usd

BUILT_IN_BASES = ("street", "warehouse", "table_top")


@dataclass
class OpenScenario:
    """A scenario ready to draw and apply samples.

    Attributes:
        scenario, budget, rig: its configuration.
        stage: the base scene with both layers attached.
        layers: pool and frame layer.
        settings: by address ``<scenario>/<randomizer>/<setting>``: defaults, replaced by the scenario file.
        labels: class name -> semantic id; 0 is background.
        randomizers: in the order in which they draw.
        slots: asset slots of the pool.
        contexts: where objects may stand.
        views, queries: geometry of the rig and of the scene.
    """

    scenario: Scenario
    budget: Budget
    rig: ResolvedRig
    stage: Usd.Stage
    layers: SceneLayers
    settings: dict[str, Setting]
    labels: dict[str, int]
    randomizers: tuple[Randomizer, ...]
    slots: tuple[AssetSlot, ...]
    contexts: tuple[Context, ...]
    views: RigViews
    queries: SceneQueries

    def close(self) -> None:
        """Remove both layers; the stage is as it was before. Safe to call twice."""
        self.layers.close()


def prepare(scenario: Scenario, budget: Budget, rig: ResolvedRig, cache: Path) -> Path | None:
    """Generate the assets and the base of a scenario into the cache, measure them and compile kernels, so that opening it is reading the base alone.

    Returns:
        The file of the base; None for the stage that the user has open.
    """
    from tailgate.randomize.slots import asset_files, read_shape

    for want in _wanted(scenario, budget, make_randomizers(scenario, budget, rig)):
        for file in asset_files(want, scenario, budget, Path(cache)):
            read_shape(file)
    TraceScene()
    return None if scenario.base == OPEN_STAGE else base_file(scenario, budget, Path(cache))


def _wanted(scenario: Scenario, budget: Budget, randomizers: tuple[Randomizer, ...]) -> list[Wanted]:
    return wanted_classes(scenario, budget, [name for randomizer in randomizers for name in randomizer.classes()])


def open_scenario(scenario: Scenario, budget: Budget, rig: ResolvedRig, cache: Path, stage: Usd.Stage | None = None) -> OpenScenario:
    """Build or open the base scene, fill the pool, let every randomizer author, and attach what was authored; see ``author_scenario``."""
    opened = author_scenario(scenario, budget, rig, cache, stage)
    opened.layers.attach()
    return opened


def author_scenario(scenario: Scenario, budget: Budget, rig: ResolvedRig, cache: Path, stage: Usd.Stage | None = None) -> OpenScenario:
    """Author a scenario into layers that are not yet attached to the stage, which is only read.

    Args:
        cache: folder of generated assets and bases.
        stage: an open stage to work on instead of the scenario's base (in Kit).

    Raises:
        UserError: unknown randomizer, option or setting (with the nearest name), a base or asset that does not open, a base without contexts.
    """
    randomizers = make_randomizers(scenario, budget, rig)
    settings = resolve_settings(scenario, randomizers)
    base = open_base(stage if stage is not None else base_file(scenario, budget, Path(cache)))
    contexts = read_contexts(base)
    if not contexts:
        raise UserError(none_found(base).sentence, base.GetRootLayer().identifier)
    queries = SceneQueries(static_scene(base))
    layers = SceneLayers(base)
    slots = fill_pool(layers, scenario, budget, _wanted(scenario, budget, randomizers), Path(cache))
    layers.pool.define(RIG)
    layers.pool.single_transform(RIG)
    layers.frame.declare(f"{RIG}.xformOp:transform", "matrix4d", IDENTITY)
    scene = PoolScene(layers, slots, contexts)
    for randomizer in randomizers:
        randomizer.author(scene)
    labels = dict(class_labels(slots, stage_labels(base, "class")))
    return OpenScenario(scenario, budget, rig, base, layers, settings, labels, randomizers, slots, contexts, RigViews(rig), queries)


def make_randomizers(scenario: Scenario, budget: Budget, rig: ResolvedRig) -> tuple[Randomizer, ...]:
    """One randomizer per entry, ordered by level and, within a level, as in the file."""
    made: list[Randomizer] = []
    for i, use in enumerate(scenario.randomizers):
        try:
            cls = registry.get(use.use)
            if any(r.name == use.use for r in made):
                raise UserError(f"randomizers must be used once each, got '{use.use}' twice")
            made.append(cls(Setup(use.options, scenario, budget, rig)))
        except UserError as error:
            raise UserError(error.message, Where(key=f"randomizers[{i}]")) from None
    return tuple(sorted(made, key=lambda r: LEVELS.index(r.level)))


def resolve_settings(scenario: Scenario, randomizers: tuple[Randomizer, ...]) -> dict[str, Setting]:
    """Settings by address: each randomizer's defaults, replaced by the scenario file; a setting that nobody knows is refused."""
    uses: Mapping[str, tuple[int, Use]] = {u.use: (i, u) for i, u in enumerate(scenario.randomizers)}
    settings: dict[str, Setting] = {}
    for randomizer in randomizers:
        index, use = uses[randomizer.name]
        own = dict(randomizer.defaults())
        for name, setting in use.settings.items():
            where = Where(key=f"randomizers[{index}].settings.{name}")
            if name not in own:
                raise unknown(f"setting of randomizer {randomizer.name}", name, own, where)
            _same_kind(name, setting, own[name], where)
            if randomizer.kind == "sensor":
                check_bounds(name.rpartition(".")[2], setting.dist, where)
            own[name] = setting
        settings.update({address(scenario.name, randomizer.name, name): s for name, s in own.items()})
    return settings


def _same_kind(name: str, setting: Setting, default: Setting, where: Where) -> None:
    """A setting draws numbers where its default does, and no other words than its default does."""
    mine, theirs = words_of(setting.dist), words_of(default.dist)
    if theirs and not mine:
        raise UserError(f"setting {name} must draw one of {', '.join(sorted(theirs))}, got numbers", where)
    if mine and not theirs:
        raise UserError(f"setting {name} must draw numbers, got '{min(mine)}'", where)
    for word in sorted(mine - theirs):
        raise unknown(f"value of setting {name}", word, theirs, where)


def words_of(dist: Distribution) -> set[str]:
    """The words that a distribution may draw; none for one over numbers."""
    if isinstance(dist, Conditional):
        return {word for case in (*dist.cases.values(), dist.default) if case is not None for word in words_of(case)}
    values = dist.values if isinstance(dist, Choice) else (dist.value,) if isinstance(dist, Constant) else ()
    return {value for value in values if isinstance(value, str)}


def address(scenario: str, randomizer: str, setting: str) -> str:
    """Setting address."""
    return f"{scenario}/{randomizer}/{setting}"


def base_file(scenario: Scenario, budget: Budget, cache: Path) -> Path:
    """File of the base scene: built in the cache, or the user's own."""
    if scenario.base in BUILT_IN_BASES:
        from tailgate.assets.bases import build_base
        from tailgate.rng import kernel_seed

        return build_base(scenario.base, kernel_seed(budget.seed, "base", scenario.base), dict(scenario.base_options), cache)
    if not Path(scenario.base).is_file():
        raise unknown("base scene (built in, or a USD file)", scenario.base, BUILT_IN_BASES, Where(key="base"))
    return Path(scenario.base)
