"""Which classes are rare, and everything about that choice that a user should hear."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from tailgate.datasets.labels import tail_classes, tail_threshold
from tailgate.errors import UserError, unknown


@dataclass(frozen=True)
class Selection:
    """The classes that get a budget.

    Attributes:
        threshold: largest count that is still tail.
        percentile: of the class counts, that gave the threshold.
        tail: classes at or below the threshold, fewest first.
        chosen: classes that get a budget: the tail, or what ``--classes`` names.
        said: sentences for the user.
    """

    threshold: float
    percentile: float
    tail: list[str]
    chosen: list[str]
    said: list[str]


def select(counts: Mapping[str, int], target: int, percentile: float = 20.0, classes: tuple[str, ...] = (), include_zero: bool = False) -> Selection:
    """Find the tail and choose the classes of the budget.

    The tail holds every class whose count is at or below the percentile (linear interpolation) of the counts of classes that have samples; with
    ``include_zero`` classes without any take part too.

    Args:
        counts: samples per declared class, zeros included.
        target: samples wanted per class.
        percentile: 0..100.
        classes: what gets a budget instead of the tail; ``tail`` stands for the tail and ``all`` for every class below ``target``.
        include_zero: let declared classes without samples take part.

    Raises:
        UserError: a class that the labels do not know, or no class with a sample.
    """
    zero = [c for c, n in counts.items() if n == 0]
    taking_part = {c: n for c, n in counts.items() if n or include_zero}
    threshold = tail_threshold(taking_part, percentile)
    tail = tail_classes(taking_part, percentile)
    chosen = _chosen(counts, tail, classes, target)
    said = [
        *_say_zero(zero, chosen, include_zero),
        *_say_all(taking_part, tail, threshold),
        *([] if classes else _say_above(taking_part, target, threshold, chosen)),
        *_say_enough(counts, target, chosen),
    ]
    return Selection(threshold, percentile, tail, chosen, said)


def _chosen(counts: Mapping[str, int], tail: list[str], classes: tuple[str, ...], target: int) -> list[str]:
    wanted: list[str] = []
    for name in classes or ("tail",):
        if name in counts:
            wanted.append(name)
        elif name == "tail":
            wanted += tail
        elif name == "all":
            wanted += [c for c, n in counts.items() if n < target]
        else:
            raise unknown("class", name, [*counts, "tail", "all"])
    order = {c: (n, c) for c, n in counts.items()}
    return sorted(dict.fromkeys(wanted), key=order.__getitem__)


def deficits(counts: Mapping[str, int], chosen: list[str], target: int) -> dict[str, int]:
    """Samples missing per chosen class; classes that have enough are absent.

    Raises:
        UserError: nothing is missing.
    """
    missing = {c: target - counts[c] for c in chosen if counts[c] < target}
    if not missing:
        least = ", ".join(f"{c} {counts[c]:,}" for c in chosen[:5])
        raise UserError(f"nothing is short: every chosen class has at least --target {target:,} samples ({least}); raise --target")
    return missing


def percentile_to_include(counts: Mapping[str, int], name: str) -> float:
    """Smallest percentile, rounded up to a tenth, whose threshold reaches the count of ``name``."""
    ordered = sorted(counts.values())
    rank = ordered.index(counts[name])
    return math.ceil(1000 * rank / max(len(ordered) - 1, 1) - 1e-9) / 10


def _say_zero(zero: list[str], chosen: list[str], included: bool) -> list[str]:
    left = [c for c in zero if c not in chosen]
    if not left or included:
        return []
    if len(left) == 1:
        return [f"1 declared class has no sample at all and is left out: {left[0]}; --include-zero adds it"]
    return [f"{len(left)} declared classes have no sample at all and are left out: {_names(left, 6)}; --include-zero adds them"]


def _say_all(counts: Mapping[str, int], tail: list[str], threshold: float) -> list[str]:
    if len(tail) < len(counts):
        return []
    if len(counts) == 1:
        return ["there is only one class, so it is the tail whatever its count; --classes names what gets a budget"]
    return [
        f"all {len(counts)} classes have at most {threshold:g} samples, so every one counts as tail: a percentile cannot tell them apart; "
        "--classes names those that get a budget, --percentile moves the line"
    ]


def _say_above(counts: Mapping[str, int], target: int, threshold: float, chosen: list[str]) -> list[str]:
    short = [c for c, n in counts.items() if threshold < n < target and c not in chosen]
    if not short:
        return []
    total = sum(counts.values())
    near = [c for c in short if counts[c] <= 2 * max(threshold, 1)][:3] or short[:1]
    one = len(near) == 1
    said = [
        f"{', '.join(f'{c} ({counts[c]:,} of {total:,})' for c in near)} {'lies' if one else 'lie'} just above the threshold {threshold:g} and "
        f"{'gets' if one else 'get'} no budget; --classes {quoted(['tail', *near])} or --percentile {percentile_to_include(counts, near[-1]):g} "
        f"includes {'it' if one else 'them'}"
    ]
    rest = len(short) - len(near)
    if rest:
        more = f"{rest} more class{'es are' if rest > 1 else ' is'}"
        said.append(f"{more} below the target {target:,} but not tail; --classes all includes {'them' if rest > 1 else 'it'}")
    return said


def _say_enough(counts: Mapping[str, int], target: int, chosen: list[str]) -> list[str]:
    return [f"{c} has {counts[c]:,} samples, the target is {target:,}: nothing to make" for c in chosen if counts[c] >= target]


def quoted(names: list[str]) -> str:
    """A comma-separated list as one shell word."""
    text = ",".join(names)
    return f"'{text}'" if any(not (ch.isalnum() or ch in ",_-.") for ch in text) else text


def _names(names: list[str], most: int) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
