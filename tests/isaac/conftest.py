"""Fixtures of the tests that need an Isaac Sim: its stand-in, in both flavours."""

from collections.abc import Iterator

import pytest
from standin import Sim, standin


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Remember whether the test itself failed: what it then leaves behind is no news."""
    report = yield
    if report.when == "call":
        item.stash[FAILED] = report.failed
    return report


FAILED = pytest.StashKey[bool]()


def opened(flavour: str, request: pytest.FixtureRequest) -> Iterator[Sim]:
    """A running Kit that is checked for leftovers unless the test failed."""
    try:
        with standin(flavour) as made:
            yield made
    except AssertionError:
        if not request.node.stash.get(FAILED, False):
            raise


@pytest.fixture(params=["5.1", "6.0"])
def sim(request: pytest.FixtureRequest) -> Iterator[Sim]:
    """A running Kit (as an extension finds it) of each flavour; what the test leaves behind fails it."""
    yield from opened(request.param, request)


@pytest.fixture
def sim51(request: pytest.FixtureRequest) -> Iterator[Sim]:
    """A running Kit of Isaac Sim 5.1."""
    yield from opened("5.1", request)


@pytest.fixture
def sim60(request: pytest.FixtureRequest) -> Iterator[Sim]:
    """A running Kit of Isaac Sim 6.0."""
    yield from opened("6.0", request)
