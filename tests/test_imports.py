"""`import tailgate` and the base contracts stay light."""

import subprocess
import sys

HEAVY = ("pxr", "warp", "torch", "ray", "scipy", "cv2", "ot", "sklearn", "pyarrow", "plotly", "omni", "carb", "isaacsim")


def test_base_loads_nothing_heavy():
    code = (
        "import sys, tailgate, tailgate.frames, tailgate.registry, tailgate.rng, tailgate.distributions, tailgate.config.budget,"
        "tailgate.config.rig, tailgate.config.scenario, tailgate.feedback.regress, tailgate.ledger.ledger, tailgate.cli;"
        f"print([m for m in {HEAVY!r} if m in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
