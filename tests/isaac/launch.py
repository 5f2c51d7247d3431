"""What ``python.sh`` is to Isaac Sim: runs a script with the stand-in in its place.  python launch.py FLAVOUR SCRIPT [ARGUMENTS]"""

import runpy
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

if __name__ == "__main__":
    from standin import standin

    flavour, script, *rest = sys.argv[1:]
    sys.argv = [script, *rest]
    sys.path.insert(0, str(Path(script).resolve().parent))
    with standin(flavour, mode="standalone"):
        runpy.run_path(script, run_name="__main__")
