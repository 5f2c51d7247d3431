"""What the loop tells the world: plain events to any number of listeners."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Event:
    """One thing that happened.

    Attributes:
        kind: one of the names below.
        data: plain values; their names are those of the ledger's columns.

    | kind | data |
    |---|---|
    | started | ``name``, ``out`` (run folder), ``cells`` (target by cell) |
    | note | ``text``: a sentence for people |
    | busy | ``text``: what is under way, in words |
    | step | ``text``, ``done``, ``total``: how far a long piece of work is |
    | round_started | ``round``, ``batches``, ``clips`` (planned), ``achieved`` (instances by cell), ``states`` (clips by cell and state) |
    | clip | ``index``, ``cell``, ``codes``, ``attempts``: a clip was rendered |
    | batch | ``round``, ``batch``, ``verdict``, ``codes``, ``rows`` (``Row.to_json``), ``clips`` (``cell``, ``state``), ``achieved``, ``states`` |
    | round_closed | ``round``, ``summary`` (W1 and ``distance_ratio`` by part), ``ratio_error`` (by part), ``changes`` (``Change.to_json``) |
    | exported | ``datasets``: folder by format |
    """

    kind: str
    data: dict[str, Any] = field(default_factory=dict)


class Events:
    """Fans events out; a listener that raises stops the run, since a silent one would hide a fault."""

    def __init__(self) -> None:
        self._listeners: list[Callable[[Event], None]] = []

    def subscribe(self, listener: Callable[[Event], None]) -> Callable[[], None]:
        """Add a listener; returns the function that removes it."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def emit(self, kind: str, **data: Any) -> None:
        """Tell every listener, in the order of subscription."""
        event = Event(kind, data)
        for listener in list(self._listeners):
            listener(event)
