"""A program for a Python that has what Kit ships and nothing else: draws, renders, measures, judges, stores and records one clip.

Usage: clip.py FOLDER. Prints JSON: verdict of the batch, digests of the frame before and after the store, codes, and the modules that were loaded.
"""

import asyncio
import json
import sys
from importlib.abc import MetaPathFinder
from pathlib import Path

KIT = {"numpy", "warp", "pydantic", "pydantic_core", "annotated_types", "typing_extensions", "typing_inspection", "pxr"}
OWN = {"tailgate", "tailgate_randomizers", "tailgate_rtx", "tailgate_ui", "small_street"}


class OnlyKit(MetaPathFinder):
    """Every other package is absent."""

    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        if not top.startswith("_") and top not in KIT | OWN | sys.stdlib_module_names:
            raise ModuleNotFoundError(f"No module named '{name}'", name=name)


async def shoot(out: Path) -> dict:
    """The clip, from a resolved run to a recorded frame; other clips stand for the real recording."""
    from small_street import small_budget, small_rig, small_scenario, write_street
    from tailgate.datasets import store
    from tailgate.ledger.ledger import Ledger, hashes
    from tailgate.randomize.scenario import make_randomizers, resolve_settings
    from tailgate.registry import randomizers
    from tailgate.runtime.spec import RunSpec
    from tailgate.runtime.studio import Studio
    from tailgate.validate.evidence import STATISTICS, measure
    from tailgate.validate.gate import BatchGate
    from tailgate.validate.integrity import clip_integrity
    from tailgate_randomizers import register

    register(randomizers)
    scenario, budget, rig = small_scenario(write_street(out / "street.usda")), small_budget(), small_rig()
    spec = RunSpec(budget, {"small": scenario}, {"small": 1.0}, rig, out, None, "warp", "cpu", out / "cache")
    settings = resolve_settings(scenario, make_randomizers(scenario, budget, rig))
    studio = Studio(spec)
    takes = [await studio.shoot("small", settings, index, budget.cells[0]) for index in range(3)]
    evidence = [measure(t.frames[0], str(t.frames[0].id), f"clip-{i}", backbone=spec.backbone()) for i, t in enumerate(takes)]
    card = BatchGate({"real": [b for e in evidence[1:] for b in e.blocks]}, STATISTICS, budget.gate).judge(evidence[0].total)
    frame = takes[0].frames[0]
    store.save(frame, out / "frames" / str(frame.id))
    ledger = Ledger(out, spec.fingerprint(""))
    with ledger.transaction():
        ledger.set_meta("verdict", card.verdict)
    ledger.close()
    return {
        "verdict": card.verdict,
        "judged": sum(r.gates for r in card.rows),
        "digests": [store.digest(frame), store.digest(store.load(out / "frames" / str(frame.id)))],
        "codes": [*takes[0].codes, *evidence[0].codes, *clip_integrity(takes[0].frames)],
        "annotated": sorted(studio.annotate(frame, takes[0].sample)),
        "hashes": sorted(hashes(out)),
        "versions": {name: sys.modules[name].__version__ for name in ("numpy", "warp")},
    }


if __name__ == "__main__":
    sys.meta_path.insert(0, OnlyKit())
    print(json.dumps(asyncio.run(shoot(Path(sys.argv[1])))))
