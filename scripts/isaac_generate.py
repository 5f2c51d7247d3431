#!/usr/bin/env python
"""Run a budget on a render node with Isaac Sim 5.1 or 6.0, without a window.

    ./python.sh TAILGATE/scripts/isaac_generate.py BUDGET --out RUN          # Isaac Sim's own Python; exit codes as of `tailgate generate`
    ./isaac-sim.sh --no-window --exec "TAILGATE/scripts/isaac_generate.py BUDGET --out RUN"

The first form supervises: the renderer lives in a process of its own that is recycled after --clips clips or --growth GB, started again when it dies,
ended when it hangs. The second runs inside the Kit that is already there; --quit ends that Kit with the run's exit code. The same command resumes.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = [str(ROOT / folder) for folder in ("exts/tailgate.core", "exts/tailgate.rtx", "randomizers/tailgate.randomizers")]
sys.path[:0] = [p for p in PACKAGES if p not in sys.path]

RENDERERS = ("RealTimePathTracing", "RaytracedLighting", "PathTracing")


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(prog="isaac_generate.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("budget", type=Path, help="budget file")
    made.add_argument("--out", type=Path, help="run folder (default: runs/<budget name>)")
    made.add_argument("--data", type=Path, help="root of the real data (default: $TAILGATE_DATA)")
    made.add_argument("--device", default="cuda:0", help="GPU that renders and measures")
    made.add_argument("--set", dest="overrides", action="append", default=[], metavar="PATH=VALUE", help="override one value of the budget")
    made.add_argument("--share", default="", metavar="I/N", help="make part I of N of every target, with a seed of its own")
    made.add_argument("--stage", type=Path, help="USD stage to work on instead of the scenarios' bases")
    made.add_argument("--renderer", choices=RENDERERS, help="default: the release's own")
    made.add_argument("--clips", type=int, default=2000, help="clips after which the worker is recycled")
    made.add_argument("--growth", type=float, default=8.0, help="GB of memory growth after which it is recycled")
    made.add_argument("--hang", type=float, default=15.0, help="minutes without a finished step after which it is ended")
    made.add_argument("--quit", action="store_true", help="with --exec: end Kit with the run's exit code")
    made.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    return made


def main(given: list[str]) -> int:
    """Supervise, work, or join the Kit that runs."""
    args = parser().parse_args(given)
    if "omni.kit.app" in sys.modules:
        return join(args)
    return work(args) if args.worker else supervise(args, given)


def supervise(args: argparse.Namespace, given: list[str]) -> int:
    """Keep a worker process alive until the run is done. Nothing but the standard library is at hand here: Kit brings the rest."""
    import tempfile

    from tailgate.errors import TailgateError
    from tailgate.runtime.supervise import Rules, Supervisor

    with tempfile.TemporaryDirectory(prefix="tailgate-") as folder:
        command = [sys.executable, str(Path(__file__).resolve()), *given, "--worker"]
        rules = Rules(silent_s=60 * args.hang)
        try:
            return Supervisor(command, Path(folder) / "worker.json", rules, lambda line: print(f"tailgate: {line}", file=sys.stderr)).run()
        except TailgateError as error:
            print(f"error: {error}", file=sys.stderr)
            return error.exit_code


def work(args: argparse.Namespace) -> int:
    """Start Kit, then run; Kit must come before anything that imports omni or pxr."""
    from isaacsim import SimulationApp

    config = {"headless": True, "active_gpu": gpu(args.device), "physics_gpu": gpu(args.device), "multi_gpu": False}
    more = {"renderer": args.renderer} if args.renderer else {}
    opened = {"open_usd": str(args.stage)} if args.stage else {}
    app = SimulationApp({**config, **more, **opened, "extra_args": ["--/rtx-transient/stableIds/enabled=true"]})
    from tailgate_rtx.headless import run_in_app

    return run_in_app(app, lambda: worker_of(args))


def join(args: argparse.Namespace) -> int:
    """Run on the loop of the Kit that is already there."""
    worker = worker_of(args)

    async def whole() -> None:
        code = await worker.run()
        if args.quit:
            sys.stdout.flush()
            os._exit(code)

    join.task = asyncio.ensure_future(whole())
    return 0


def worker_of(args: argparse.Namespace) -> object:
    """The worker that the command line asks for."""
    from tailgate.config.scenario import OPEN_STAGE
    from tailgate.runtime.shares import share_overrides
    from tailgate.runtime.spec import RunOptions
    from tailgate_rtx.headless import Life, Worker

    register_plugins()
    overrides = (*args.overrides, *(share_overrides(args.budget, args.share, args.overrides) if args.share else ()))
    base = OPEN_STAGE if args.stage else ""
    return Worker(RunOptions(args.budget, args.out, args.data, "isaac", args.device, overrides, base), Life(args.clips, args.growth))


def register_plugins() -> None:
    """Make backend and randomizers known: a checkout has no entry points."""
    import tailgate_randomizers
    import tailgate_rtx
    from tailgate.registry import backends, randomizers

    tailgate_rtx.register(backends)
    tailgate_randomizers.register(randomizers)


def gpu(device: str) -> int:
    """Number of a CUDA device."""
    return int(device.partition(":")[2] or 0)


if __name__ == "__main__":
    code = main(sys.argv[1:])
    if "omni.kit.app" not in sys.modules:
        sys.exit(code)
