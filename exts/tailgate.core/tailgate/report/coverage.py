"""How the drawn values cover the bounds of every setting: all draws, and those that became data."""

from __future__ import annotations

import json
import math
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

BINS = 20


@dataclass(frozen=True)
class Coverage:
    """Counts of one setting's draws.

    Attributes:
        address: setting address; one marginal of a joint setting has its name behind a dot.
        role: nuisance, calibrated or pinned.
        unit: unit of the value.
        labels: BINS + 1 edges as text for a range, or the values of a choice.
        drawn, kept: draws per bin over all recorded frames, and over those that became data.
        continuous: whether ``labels`` are edges.
    """

    address: str
    role: str
    unit: str
    labels: tuple[str, ...]
    drawn: tuple[int, ...]
    kept: tuple[int, ...]
    continuous: bool

    @property
    def covered(self) -> float | None:
        """Share of the bins that the kept draws reach; None where nothing was kept."""
        return sum(n > 0 for n in self.kept) / len(self.kept) if sum(self.kept) else None

    @property
    def family(self) -> str:
        """Scenario and randomizer of the address."""
        return self.address.rsplit("/", 1)[0]


def read_coverage(db: sqlite3.Connection) -> Iterable[Coverage]:
    """One Coverage per setting that has freedom and was drawn, by address; bounds are those of the first round."""
    first = db.execute("select settings from rounds order by round limit 1").fetchone()
    settings = json.loads(first[0]) if first else {}
    drawn: dict[str, list[Any]] = defaultdict(list)
    kept: dict[str, list[Any]] = defaultdict(list)
    query = "select f.sample, f.verdict, c.state from frames f join clips c using (clip_index) order by f.clip_index, f.attempt, f.tick"
    for row in db.execute(query):
        for address, value in json.loads(row["sample"]).get("draws", {}).items():
            base = address.split("@", 1)[0]
            for name, single in ({f"{base}.{k}": v for k, v in value.items()} if isinstance(value, Mapping) else {base: value}).items():
                drawn[name].append(single)
                if row["state"] == "accepted" and row["verdict"] == "ok":
                    kept[name].append(single)
    for address in sorted(settings):
        setting = settings[address]
        for name, dist in _marginals(address, setting["dist"]):
            if drawn.get(name):
                made = _count(name, setting.get("role", ""), dist, drawn[name], kept[name])
                if made:
                    yield made


def _marginals(address: str, dist: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    """A setting's one-dimensional distributions; the cases of a conditional one are merged into their common bounds."""
    if dist["kind"] == "joint":
        return [(f"{address}.{name}", marginal) for name, marginal in dist["marginals"].items()]
    if dist["kind"] != "conditional":
        return [(address, dist)]
    cases = [*dist["cases"].values(), *([dist["default"]] if dist.get("default") else [])]
    if all("low" in case for case in cases):
        kind = "log_ranged" if all(c["kind"] == "log_ranged" for c in cases) else "ranged"
        low, high = min(c["low"] for c in cases), max(c["high"] for c in cases)
        return [(address, {"kind": kind, "low": low, "high": high, "unit": cases[0].get("unit", "")})]
    values = [v for case in cases for v in (case.get("values") or [case.get("value", case.get("low"))])]
    return [(address, {"kind": "choice", "values": list(dict.fromkeys(values))})]


def _count(address: str, role: str, dist: Mapping[str, Any], drawn: list[Any], kept: list[Any]) -> Coverage | None:
    unit = dist.get("unit") or ""
    if dist["kind"] == "choice":
        values = dist["values"]
        tallies = [tuple(sum(1 for v in side if v == value) for value in values) for side in (drawn, kept)]
        return Coverage(address, role, unit, tuple(map(str, values)), *tallies, continuous=False)
    if "low" not in dist:
        return None
    low, high = dist["low"], dist["high"]
    log = dist["kind"] == "log_ranged"
    shares = np.linspace(0, 1, BINS + 1)
    edges = low * np.exp(shares * math.log(high / low)) if log else low + shares * (high - low)
    tallies = []
    for side in (drawn, kept):
        values = np.asarray([v for v in side if isinstance(v, (int, float))], dtype=float)
        tallies.append(tuple(int(n) for n in np.histogram(np.clip(values, low, high), edges)[0]))
    return Coverage(address, role, unit, tuple(f"{e:.3g}" for e in edges), *tallies, continuous=True)
