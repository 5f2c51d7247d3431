"""What repeated responses to one view or scan have in common: a step whose inputs are those of the last time is not done again."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from typing import Any

_slots: dict[Hashable, tuple[Hashable, Any]] | None = None


@contextmanager
def remembering() -> Iterator[None]:
    """Remember within: a fit responds to the same views hundreds of times. Objects that slots are named by must live as long."""
    global _slots
    outer, _slots = _slots, {} if _slots is None else _slots
    try:
        yield
    finally:
        _slots = outer


def recall(slot: Hashable, inputs: Hashable, make: Callable[[], Any]) -> Any:
    """What ``make`` gives, or gave the last time that this slot was asked for with these inputs. It must not be written to."""
    slots = _slots
    if slots is None:
        return make()
    held = slots.get(slot)
    if held is None or held[0] != inputs:
        held = slots[slot] = (inputs, make())
    return held[1]
