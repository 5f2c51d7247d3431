"""Fixtures of the tests that need an Isaac Sim: its stand-in, in both flavours."""

from collections.abc import Iterator

import pytest
from standin import Sim, standin


@pytest.fixture(params=["5.1", "6.0"])
def sim(request: pytest.FixtureRequest) -> Iterator[Sim]:
    """A running Kit (as an extension finds it) of each flavour; what the test leaves behind fails it."""
    with standin(request.param) as made:
        yield made


@pytest.fixture
def sim51() -> Iterator[Sim]:
    """A running Kit of Isaac Sim 5.1."""
    with standin("5.1") as made:
        yield made


@pytest.fixture
def sim60() -> Iterator[Sim]:
    """A running Kit of Isaac Sim 6.0."""
    with standin("6.0") as made:
        yield made
