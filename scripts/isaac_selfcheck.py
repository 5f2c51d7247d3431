#!/usr/bin/env python
"""Look whether Tailgate works in the Isaac Sim at hand; takes about ten minutes on a workstation.

    ./python.sh TAILGATE/scripts/isaac_selfcheck.py [-o selfcheck.json]

Prints a table and writes a JSON file to attach to a bug report. Exit code 0 where nothing is wrong, else 1.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from isaac_generate import gpu, register_plugins


def main(given: list[str]) -> int:
    """Start Kit, check, report, close."""
    made = argparse.ArgumentParser(prog="isaac_selfcheck.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("-o", "--out", type=Path, default=Path("selfcheck.json"), help="JSON file to write")
    made.add_argument("--device", default="cuda:0", help="GPU that renders and measures")
    made.add_argument("--clips", type=int, default=50, help="clips of the small run")
    args = made.parse_args(given)
    from isaacsim import SimulationApp

    number = gpu(args.device)
    config = {"headless": True, "active_gpu": number, "physics_gpu": number, "multi_gpu": False}
    app = SimulationApp({**config, "extra_args": ["--/rtx-transient/stableIds/enabled=true"]})
    register_plugins()
    from tailgate_rtx.releases import close_arguments
    from tailgate_rtx.selfcheck import self_check

    found = app.run_coroutine(self_check(args.device, args.clips))
    args.out.write_text(json.dumps(found.to_json(), indent=1))
    print(f"{found.table()}\n{args.out}", flush=True)
    code = 1 if found.wrong else 0
    app.close(**close_arguments(code))
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
