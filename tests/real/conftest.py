"""Recordings that several files use."""

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def kitti_root(data_root: Path) -> Path:
    """Sweeps of KITTI with labels."""
    if not (data_root / "kitti" / "velodyne").is_dir():
        pytest.skip("no KITTI sweeps under the data root")
    return data_root / "kitti"
