"""norm-JS per class of 100,000 features of 64 numbers a side in 20 classes: medians of interleaved runs, one thread.

Peers: ``numpy`` takes the norms and histograms of each class's rows in turn, as the definition reads; ``numpy_shared_norms`` is our own twin, which
computes all norms in one call first.
"""

from __future__ import annotations

import time

import numpy as np
from tailgate.validate.js import BINS, js_norm_by_class, js_norm_by_class_twin, js_of_counts

ROWS, WIDTH, CLASSES, REPEATS = 100_000, 64, 20, 15


def js_per_class(real: np.ndarray, real_class: np.ndarray, synthetic: np.ndarray, synthetic_class: np.ndarray, classes: int) -> list[float]:
    """The plain peer: class after class."""
    out = []
    for c in range(classes):
        a, b = (np.linalg.norm(f[k == c], axis=1) for f, k in ((real, real_class), (synthetic, synthetic_class)))
        span = (min(a.min(), b.min()), max(a.max(), b.max()))
        out.append(float(js_of_counts(*(np.histogram(x, bins=BINS, range=span)[0] for x in (a, b)))))
    return out


def main() -> None:
    """Print the FIGURE lines."""
    rng = np.random.default_rng(0)
    real, synthetic = (rng.normal(size=(ROWS, WIDTH)).astype(np.float32) for _ in range(2))
    labels = [rng.integers(CLASSES, size=ROWS).astype(np.int32) for _ in range(2)]
    arguments = (real, labels[0], synthetic, labels[1], CLASSES)
    assert np.allclose(js_norm_by_class(*arguments).values, js_norm_by_class_twin(*arguments).values, atol=1e-4)
    times: dict[object, list[float]] = {js_norm_by_class: [], js_per_class: [], js_norm_by_class_twin: []}
    for _ in range(REPEATS):
        for measure, spent in times.items():
            start = time.perf_counter()
            measure(*arguments)
            spent.append(time.perf_counter() - start)
    ours, plain, shared = (float(np.median(t)) * 1e3 for t in times.values())
    print(f"FIGURE js_100k value={ours:.2f} unit=ms peer=numpy ratio={plain / ours:.2f}")
    print(f"FIGURE js_100k_shared_norms value={ours:.2f} unit=ms peer=numpy_shared_norms ratio={shared / ours:.2f}")


if __name__ == "__main__":
    main()
