"""dogss_score: how close synthetic object crops are to real ones, on a scale set by how close real ones are to each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tailgate.errors import UserError
from tailgate.validate.chamfer import chamfer_sq, directed_matrix
from tailgate.validate.emd import costs, directions, emd, transport

DISTANCES = ("chamfer", "emd")
PASS = 0.75
"""Score that 95 % of real batches reach, by construction of x_max."""
_BOUND_DIRECTIONS = directions(24, 3, np.random.Generator(np.random.Philox(key=20211111)))


@dataclass(frozen=True)
class Dogss:
    """The score and its parts.

    Attributes:
        score: the smallest part, 0..1, higher is better.
        parts: distance -> 1 - clip(x / x_max, 0, 1).
        decided_by: the distance of the smallest part (the first of DISTANCES at a tie).
    """

    score: float
    parts: dict[str, float]
    decided_by: str


def dogss_score(x: Mapping[str, float], x_max: Mapping[str, float]) -> Dogss:
    """Combine the distances.

    Args:
        x: distance -> mean over the synthetic crops of the distance to the nearest reference crop [m].
        x_max: distance -> its own scale [m], positive (emd ≥ chamfer always: with one shared scale emd alone would decide).
    """
    for name in DISTANCES:
        if not x_max[name] > 0:
            raise UserError(f"x_max of {name} must be positive, got {x_max[name]}")
    parts = {name: 1.0 - float(np.clip(x[name] / x_max[name], 0.0, 1.0)) for name in DISTANCES}
    decided_by = min(DISTANCES, key=parts.__getitem__)
    return Dogss(parts[decided_by], parts, decided_by)


def x_max_of_null(null: Sequence[float] | np.ndarray) -> float:
    """Scale [m] on which the 95 % quantile (numpy, linear) of a null of real-to-real distances scores PASS."""
    return float(np.quantile(np.asarray(null, dtype=float), 0.95)) / (1.0 - PASS)


def dogss_score_brief(real: np.ndarray, synthetic: np.ndarray, max_expected_distance: float = 0.5) -> float:
    """1 - clip(chamfer_sq / max_expected_distance, 0, 1) of two clouds of the same place.

    Kept for comparison with older figures: chamfer_sq is in m², although its scale was documented in metres. Paired data only.
    """
    return 1.0 - float(np.clip(chamfer_sq(real, synthetic) / max_expected_distance, 0.0, 1.0))


def nearest_reference(crops: np.ndarray, reference: np.ndarray, allowed: np.ndarray | None = None, exact: bool = True) -> dict[str, np.ndarray]:
    """Distance of each crop to the nearest reference crop, for every name in DISTANCES [m], float64 [A]; NaN where none is allowed.

    The earth mover's distance is exact but seldom computed: reference crops are tried in the order of a lower bound (the larger of both directed mean
    nearest distances, and of W1 along fixed directions), until no bound is below the best found.

    Args:
        crops, reference: resampled crops [A, n, 3] and [B, n, 3] in box axes [m].
        allowed: bool [A, B]; False excludes a pair (crops of the same track).
        exact: False gives the lower bound in place of the earth mover's distance, at a hundredth of the cost.
    """
    allowed = np.ones((len(crops), len(reference)), dtype=bool) if allowed is None else allowed
    forth, back = directed_matrix(crops, reference), directed_matrix(reference, crops).T
    bound = np.maximum(forth, back)
    if crops.shape[1] == reference.shape[1]:
        bound = np.maximum(bound, _profile_bound(crops, reference))
    out = {"chamfer": 0.5 * (forth + back), "emd": bound}
    out = {name: np.where(allowed, values, np.inf).min(axis=1, initial=np.inf) for name, values in out.items()}
    if exact:
        out["emd"] = np.array([_nearest_emd(crops[i], reference[allowed[i]], bound[i, allowed[i]]) for i in range(len(crops))])
    return {name: np.where(np.isfinite(values), values, np.nan) for name, values in out.items()}


def _profile_bound(crops: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Largest W1 along fixed directions of every pair of equally large clouds [m], [A, B]."""
    a, b = (np.sort(np.asarray(c, dtype=np.float64) @ _BOUND_DIRECTIONS.T, axis=1) for c in (crops, reference))
    return np.array([np.abs(p - b).mean(axis=1).max(axis=1) for p in a])


def _nearest_emd(crop: np.ndarray, reference: np.ndarray, bound: np.ndarray) -> float:
    """Smallest earth mover's distance of a crop to the clouds [B, n, 3] whose lower bounds are given [B]; infinite without any.

    Before a cloud is solved for, the dual potentials of those solved already bound its distance at a twentieth of the cost.
    """
    best, potentials = np.inf, []
    for k in np.argsort(bound, kind="stable"):
        if bound[k] >= best:
            break
        cost = costs(crop, reference[k])
        if any(f.mean() + (cost - f[:, None]).min(axis=0).mean() >= best for f in potentials):
            continue
        value, potential = transport(cost)
        best = min(best, value)
        potentials.append(potential)
    return best


def nearest_reference_twin(crops: np.ndarray, reference: np.ndarray, allowed: np.ndarray | None = None) -> dict[str, np.ndarray]:
    """Readable twin of ``nearest_reference``: every allowed pair, exactly."""
    from tailgate.validate.chamfer import halves_twin

    allowed = np.ones((len(crops), len(reference)), dtype=bool) if allowed is None else allowed
    measures = {"chamfer": lambda p, q: halves_twin(p, q).chamfer, "emd": emd}
    return {
        name: np.array([min((f(p, q) for j, q in enumerate(reference) if allowed[i, j]), default=np.nan) for i, p in enumerate(crops)])
        for name, f in measures.items()
    }
