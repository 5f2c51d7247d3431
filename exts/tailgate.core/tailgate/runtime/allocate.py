"""Which cell each clip of a round is drawn for: a pure function of what is still short."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tailgate.config.budget import Cell


def allocate(cells: Sequence[Cell], achieved: Mapping[str, int], clips: int) -> list[str]:
    """Share ``clips`` among the cells that are short, in proportion to their relative shortage, spread evenly over the round.

    Args:
        cells: the budget's cells.
        achieved: accepted instances by cell name.
        clips: number of clips in the round.

    Returns:
        A cell name per clip, in a smooth weighted round robin: every batch holds every cell in proportion. All cells met: an empty list.
    """
    short = {c.name: max(0, c.target - achieved.get(c.name, 0)) for c in cells}
    need = {name: n for name, n in short.items() if n > 0}
    if not need:
        return []
    total = sum(need.values())
    current = dict.fromkeys(need, 0.0)
    order = []
    for _ in range(clips):
        for name in need:
            current[name] += need[name] / total
        chosen = max(need, key=lambda name: current[name])
        current[chosen] -= 1.0
        order.append(chosen)
    return order
