"""Where the real data and the golden values lie, if they are here."""

import os
from pathlib import Path

import pytest
from checkout import shared


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests come first, so that no core waits for a long one at the end."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(scope="session")
def data_root() -> Path:
    """Root of the real recordings."""
    found = shared("TAILGATE_DATA", "data")
    if found is None:
        pytest.skip("no real recordings here: set TAILGATE_DATA to their root")
    return found


@pytest.fixture(scope="session", autouse=True)
def _asset_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Generated assets of the tests go to a folder of their own, shared by all tests of a session."""
    os.environ.setdefault("TAILGATE_CACHE", str(tmp_path_factory.mktemp("assets")))
