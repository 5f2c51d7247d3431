"""Durable transitions per second in groups of 32. Prints a FIGURE line."""

import tempfile
import time
from pathlib import Path

from tailgate.ledger.ledger import Ledger

GROUPS, SIZE = 100, 32
TARGET = 2000.0


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        ledger = Ledger(Path(folder), {})
        row = {"round": 0, "batch": 0, "scenario": "street", "cell": "cone", "attempts": 1, "state": "rendered", "result": {"frames": []}}
        start = time.perf_counter()
        for g in range(GROUPS):
            with ledger.transaction():
                ledger.insert("clips", [{"clip_index": g * SIZE + i, **row} for i in range(SIZE)])
        rate = GROUPS * SIZE / (time.perf_counter() - start)
        ledger.close()
    print(f"FIGURE transitions_per_s value={rate:.0f} unit=1/s peer=target_{TARGET:.0f} ratio={rate / TARGET:.2f}")


if __name__ == "__main__":
    main()
