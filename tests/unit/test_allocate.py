from collections import Counter

from tailgate.config.budget import Cell
from tailgate.runtime.allocate import allocate

CELLS = [Cell(**{"class": "a", "target": 30}), Cell(**{"class": "b", "target": 10})]


def test_proportional_and_spread():
    order = allocate(CELLS, {}, 40)
    assert Counter(order) == {"a": 30, "b": 10}
    for i in range(0, 40, 8):
        assert Counter(order[i : i + 8]) == {"a": 6, "b": 2}


def test_follows_what_is_short():
    assert Counter(allocate(CELLS, {"a": 29, "b": 9}, 10)) == {"a": 5, "b": 5}
    assert set(allocate(CELLS, {"a": 30, "b": 9}, 10)) == {"b"}
    assert allocate(CELLS, {"a": 30, "b": 12}, 10) == []
