"""What a run does, small: samples and labels as outside Isaac Sim, labelled LiDAR returns, a stage that is left as it was, a run of some clips."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from tailgate.config.rig import MountedSensor, configs_root
from tailgate.runtime.preview import takes
from tailgate.runtime.run import Crew, generate, initial_settings
from tailgate.runtime.spec import RunOptions, resolve
from tailgate.runtime.studio import Studio, Take

from tailgate_rtx.headless import resident_gb
from tailgate_rtx.selfcheck.found import Findings

SMALL = ("limits.rounds=1", "limits.batches_per_round=1", "reference.options.frames=2", "gate.mode=report", "output.keep_rejected=2")
GROWTH_GB_PER_1000 = 4.0
"""Memory growth that a long run does not survive [GB per 1,000 clips]."""
LEAST_CLIPS = 20
"""A run shorter than this is still filling its caches: its memory says nothing about a long run."""


def options(device: str, backend: str = "isaac", **more: Any) -> RunOptions:
    """The quickstart, small."""
    return RunOptions(configs_root() / "budgets" / "quickstart.yaml", None, None, backend, device, SMALL, **more)


async def check_against_embedded(found: Findings, device: str, clips: int = 3) -> None:
    """The first clips by both renderers: the same samples and objects; pixels differ, so boxes are compared within a few pixels."""
    check = "samples and labels against the embedded renderer"
    theirs = [take async for take in takes(options("cpu", "warp"), clips)]
    ours = [take async for take in takes(options(device), clips)]
    same = sum(a.sample == b.sample for a, b in zip(ours, theirs, strict=True))
    found.add(check, "samples", same == clips, f"{same} of {clips} equal", "all")
    pairs = [_views(a, b) for a, b in zip(ours, theirs, strict=True)]
    found.add(check, "objects", all(a.shape == b.shape for a, b in pairs), [len(a) for a, _ in pairs], str([len(b) for _, b in pairs]))
    seen = [(a, b) for a, b in pairs if a.shape == b.shape and len(a)]
    gaps = np.concatenate([np.abs(a - b).max(axis=1) for a, b in seen]) if seen else np.zeros(0)
    median = float(np.median(gaps)) if gaps.size else np.inf
    found.add(check, "tight boxes", median <= 2.0, f"median of the largest difference {median:.1f} px over {gaps.size} objects", "at most 2 px")


def _views(one: Take, other: Take) -> tuple[np.ndarray, np.ndarray]:
    """Tight boxes of what either first camera sees, [n, 4] each; objects that only one of them sees at all are left out."""
    a, b = (next(s.view for s in take.frames[0].sensors.values() if s.kind == "camera") for take in (one, other))
    both = (np.asarray(a.visible) > 20) & (np.asarray(b.visible) > 20) if len(a.visible) == len(b.visible) else slice(None)
    return np.asarray(a.bbox_tight)[both], np.asarray(b.bbox_tight)[both]


async def check_lidar(found: Findings, device: str) -> None:
    """One scan by RTX: returns, ranges and labels."""
    check = "LiDAR by RTX"
    with tempfile.TemporaryDirectory() as folder:
        spec = resolve(replace(options(device), out=Path(folder)))
        rig = replace(spec.rig, sensors={name: _by_rtx(mounted) for name, mounted in spec.rig.sensors.items()})
        spec = replace(spec, rig=rig)
        studio = Studio(spec)
        try:
            take = await studio.shoot(sorted(spec.scenarios)[0], initial_settings(spec), 0, spec.budget.cells[0])
        finally:
            studio.close()
    for name, sensor in take.perfect.sensors.items():
        if sensor.kind != "lidar":
            continue
        ranges, semantic = (np.asarray(sensor.channels[c]) for c in ("range", "semantic"))
        hit = ranges > 0
        share = float(hit.mean())
        found.add(check, f"{name}: returns", 0.05 < share <= 1.0, f"{share:.0%} of {ranges.shape} cells", "5 % or more")
        found.add(check, f"{name}: range", bool(hit.any() and ranges[hit].max() < 500), f"up to {ranges.max():.1f} m", "below 500 m")
        labelled = float((semantic[hit] > 0).mean()) if hit.any() else 0.0
        found.add(check, f"{name}: returns with a label", labelled > 0.2, f"{labelled:.0%}", "20 % or more (stable ids are off?)")


def _by_rtx(mounted: MountedSensor) -> MountedSensor:
    """A LiDAR as RTX can trace it: its own beams, one return."""
    if mounted.model.type != "lidar":
        return mounted
    return replace(mounted, model=mounted.model.model_copy(update={"tracer": "rtx", "sub_rays": 1, "ghosts": False, "returns": "strongest"}))


async def check_restore(found: Findings, device: str) -> None:
    """Clips on the open stage, then the stage: layers, edit target and session sublayers are as before."""
    import omni.usd

    from tailgate_rtx.opening import stage_digest

    check = "randomize and restore"
    async for _ in takes(options(device), 1):
        """Opens the scenario's base in the application."""
    stage = omni.usd.get_context().get_stage()

    def state() -> tuple[str, str, tuple[str, ...], int]:
        session = stage.GetSessionLayer()
        return stage_digest(stage), stage.GetEditTarget().GetLayer().identifier, tuple(session.subLayerPaths), sum(1 for _ in stage.Traverse())

    before = state()
    shown = [take async for take in takes(options(device, base="@open"), 2)]
    after = state()
    for name, old, new in zip(("layers", "edit target", "session sublayers", "prims"), before, after, strict=True):
        found.add(check, name, old == new, "as before" if old == new else f"{old} -> {new}", "as before")
    found.add(check, "clips on the open stage", len(shown) == 2, len(shown), "2")


async def check_run(found: Findings, device: str, clips: int = 50) -> None:
    """A run of one batch, with its memory."""
    check = f"a run of {clips} clips"
    memory: list[float] = []

    def listen(event: Any) -> None:
        if event.kind == "clip":
            memory.append(resident_gb())

    with tempfile.TemporaryDirectory() as folder:
        small = replace(options(device), out=Path(folder) / "run", overrides=(*SMALL, f"limits.batch_clips={clips}", f"limits.clips={clips}"))
        summary = await generate(small, listen, Crew())
        found.add(check, "ends", summary.exit_code in (0, 3), f"exit code {summary.exit_code}: {summary.reason or 'budget met'}", "0 or 3")
        accepted = sum(achieved for achieved, _ in summary.cells.values())
        found.add(check, "instances accepted", accepted > 0, accepted, "some")
        found.add(check, "datasets", bool(summary.datasets), ", ".join(sorted(summary.datasets)) or "none", "some")
    found.tell(check, "plan_hash", summary.plan_hash)
    if len(memory) < LEAST_CLIPS:
        found.tell(check, "memory growth", f"not judged: {len(memory)} clips, {LEAST_CLIPS} tell")
        return
    growth = 1000 * growth_per_clip(np.asarray(memory))
    found.add(check, "memory growth", growth < GROWTH_GB_PER_1000, f"{growth:.2f} GB per 1,000 clips", f"below {GROWTH_GB_PER_1000:g}")


def growth_per_clip(memory: np.ndarray) -> float:
    """Median slope between all pairs of the second half (Theil 1950; Sen 1968): one load of a library or an asset is a step, not growth.

    ``memory`` [n] in GB after each clip, n >= 4; returns GB per clip.
    """
    half = memory[len(memory) // 2 :]
    first, second = np.triu_indices(len(half), 1)
    return float(np.median((half[second] - half[first]) / (second - first)))
