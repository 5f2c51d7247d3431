"""One clip from a job to files and a record. Runs where the engine puts it."""

from __future__ import annotations

import shutil
from typing import Any

from tailgate.config.setting import Setting, from_plain
from tailgate.frames import Frame
from tailgate.runtime.spec import RunSpec
from tailgate.runtime.studio import Studio, Take


class Worker:
    """Makes clips; every result depends on the job alone."""

    def __init__(self, spec: RunSpec):
        self.spec, self._studio = spec, Studio(spec)
        self._settings: tuple[dict[str, Any], dict[str, Setting]] = {}, {}
        self._cells = {c.name: c for c in spec.budget.cells}
        self._backbone = spec.backbone()

    async def run(self, job: dict[str, Any]) -> dict[str, Any]:
        """Make one clip.

        Args:
            job: ``index``, ``round``, ``scenario``, ``cell`` (name), ``settings`` (those in force by address, plain data); ``reference`` (name of an
                evidence file) makes a frame of a simulated reference instead, of which nothing else is kept.

        Returns:
            ``codes`` (empty when on target; "dropped" where nothing that came shows it), ``attempts``, ``frames`` (one record per tick of which any
            sensor's frame came) and ``seconds`` per stage.
        """
        from tailgate.validate.evidence import Cut, measure

        settings = await self._studio.aside(self._in_force, job["settings"])
        take = await self._studio.shoot(job["scenario"], settings, job["index"], self._cells[job["cell"]], job["round"])
        records: list[dict[str, Any]] = []
        if "reference" in job:
            name = job["reference"]
            evidence = await self._studio.aside(measure, take.measured, name, name, Cut(), self._backbone)
            evidence.save(self.spec.out / "evidence" / f"{name}.npz")
        elif not take.codes:
            records = [await self._studio.aside(self._store, frame, take) for frame in take.frames if frame.sensors]
        sample, seconds = take.sample.to_json(), dict(take.clock.seconds)
        return {"index": job["index"], "codes": take.codes, "attempts": take.attempts, "sample": sample, "frames": records, "seconds": seconds}

    def close(self) -> None:
        """Close everything opened; idempotent."""
        self._studio.close()

    def _store(self, frame: Frame, take: Take) -> dict[str, Any]:
        """Measure a frame and write it with its evidence; the folder appears whole or not at all."""
        from tailgate.datasets import store
        from tailgate.randomize.verify import count_instances
        from tailgate.validate.evidence import CUTS, Cut, measure
        from tailgate.validate.integrity import clip_integrity

        with take.clock("validate"):
            cut = CUTS.get(self.spec.budget.reference.kind, Cut())
            evidence = measure(frame, str(frame.id), f"clip-{frame.id.index}", cut, self._backbone)
        with take.clock("write"):
            folder = self.spec.out / "frames" / str(frame.id)
            shutil.rmtree(folder, ignore_errors=True)
            store.save(frame, folder)
            evidence.save(self.spec.out / "evidence" / f"{frame.id}.npz")
            digest = store.digest(frame)
        rig = self.spec.rig.sensors
        camera = next((name for name, mounted in rig.items() if mounted.model.type == "camera"), "")
        objects = object_rows(frame, dict(count_instances(frame, self.spec.budget)), camera)
        record = {"id": str(frame.id), "tick": frame.id.tick, "attempt": frame.id.attempt, "digest": digest}
        record["dropped"] = [name for name in rig if name not in frame.sensors]
        codes = [*evidence.codes, *clip_integrity(take.frames)]
        return {**record, "codes": codes, "objects": objects, "hints": frame.hints, "annotations": self._studio.annotate(frame, take.sample)}

    def _in_force(self, plain: dict[str, Any]) -> dict[str, Setting]:
        """Settings of plain data; those of the last job again where they are the same."""
        if plain != self._settings[0]:
            self._settings = plain, from_plain(plain)
        return self._settings[1]


def object_rows(frame: Frame, cells: dict[int, str], camera: str | None = None) -> list[dict[str, Any]]:
    """One record per object: its pixels in the rig's first camera, by name (by default the frame's own first), and the returns of all LiDARs.

    Range and shares are those of that camera too, or where its frame is missing of the first other camera, else of the first LiDAR.
    """
    cameras = {n: s for n, s in frame.sensors.items() if s.kind == "camera"}
    lidars = [s for s in frame.sensors.values() if s.kind == "lidar"]
    eye = cameras.get(next(iter(cameras), "") if camera is None else camera)
    main = (eye or [*cameras.values(), *lidars][0]).view
    rows = []
    for i, name in enumerate(frame.objects.class_name):
        row = {"instance": int(frame.objects.instance[i]), "class": name, "cell": cells.get(i, ""), "range": float(main.range[i])}
        shares = {"occluded": float(main.occluded[i]), "truncated": float(main.truncated[i])}
        pixels = {"visible": int(eye.view.visible[i]), "alone": int(eye.view.alone[i])} if eye else {"visible": 0, "alone": 0}
        counts = {**pixels, "lidar_hits": int(sum(s.view.visible[i] for s in lidars))}
        rows.append({**row, **shares, **counts, "counted": int(i in cells)})
    return rows
