"""Groups of real frames, and which of them steer (feedback), watch (hold-out) and are kept for the end (audit)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

from tailgate.errors import UserError, Where, nearest
from tailgate.reference.reader import Entry

PARTS = ("feedback", "holdout", "audit")
MIN_RECORDINGS = 4
BLOCKS_PER_RECORDING = 5
SHARES = {"holdout": 0.25, "audit": 0.15}
"""Share of the groups kept out of feedback; the audit part appears from five groups up."""


def make_groups(entries: Sequence[Entry]) -> dict[str, list[str]]:
    """Recordings where there are at least four, else place blocks: runs of consecutive frames within a recording, named ``<recording>#<k>``.

    A recording of a single frame is its own block and keeps its name.
    """
    recordings: dict[str, list[Entry]] = {}
    for entry in sorted(entries, key=lambda e: (e.recording, e.time_ns, e.name)):
        recordings.setdefault(entry.recording, []).append(entry)
    if len(recordings) >= MIN_RECORDINGS:
        return {name: [e.name for e in members] for name, members in recordings.items()}
    groups = {}
    for name, members in recordings.items():
        blocks = min(len(members), BLOCKS_PER_RECORDING)
        for k in range(blocks):
            part = members[k * len(members) // blocks : (k + 1) * len(members) // blocks]
            groups[name if blocks == 1 else f"{name}#{k}"] = [e.name for e in part]
    return groups


def automatic_split(groups: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """Deal whole groups to the parts in the order of a hash of their names, so that neither name nor time decides.

    Two or more groups give a hold-out of at least one; five or more also give an audit part.
    """
    order = sorted(groups, key=lambda g: hashlib.blake2b(g.encode()).digest())
    holdout = max(1, round(SHARES["holdout"] * len(order))) if len(order) > 1 else 0
    audit = max(1, round(SHARES["audit"] * len(order))) if len(order) > MIN_RECORDINGS else 0
    feedback = len(order) - holdout - audit
    bounds = {"feedback": order[:feedback], "holdout": order[feedback : feedback + holdout], "audit": order[feedback + holdout :]}
    return {part: [name for group in sorted(members) for name in groups[group]] for part, members in bounds.items()}


def explicit_split(groups: Mapping[str, Sequence[str]], wanted: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """The split a budget asks for; each item is a group or a frame. A part not named is empty.

    Raises:
        UserError: an unknown name, a frame in two parts, or an empty feedback part.
    """
    frames = {name: [name] for members in groups.values() for name in members}
    known = {**frames, **groups}
    split: dict[str, list[str]] = {part: [] for part in PARTS}
    taken: dict[str, str] = {}
    for part in PARTS:
        for i, item in enumerate(wanted.get(part, ())):
            where = Where(key=f"reference.split.{part}[{i}]")
            if item not in known:
                raise UserError(f"must name a group or frame of the reference, got '{item}'{nearest(item, known)}", where)
            for name in known[item]:
                if name in taken:
                    raise UserError(f"frame '{name}' must be in one part only, got {taken[name]} and {part}", where)
                taken[name] = part
                split[part].append(name)
    if not split["feedback"]:
        raise UserError("must name at least one group for feedback, got none", Where(key="reference.split.feedback"))
    return split


def shares_a_recording(split: Mapping[str, Sequence[str]], entries: Sequence[Entry]) -> bool:
    """Whether a recording of the feedback part also appears in the hold-out or the audit part."""
    recording = {e.name: e.recording for e in entries}
    fed = {recording[n] for n in split["feedback"]}
    return any(recording[n] in fed for part in ("holdout", "audit") for n in split[part])
