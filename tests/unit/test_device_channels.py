"""Channels that lie on a device are read by everything between a renderer and the record, and by numpy nowhere."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from small_street import draw, open_small, small_rig
from tailgate.config.sensor import CameraModel
from tailgate.datasets import store
from tailgate.frames import Frame, host
from tailgate.render.raytrace import WarpBackend
from tailgate.sensors import respond
from tailgate.validate.evidence import measure


class OnDevice:
    """An array of a GPU as numpy sees it: no buffer, no items; ``numpy()`` copies it."""

    def __init__(self, array: np.ndarray):
        self._array, self.shape, self.dtype, self.device = array, array.shape, array.dtype, "cpu"

    def numpy(self) -> np.ndarray:
        return self._array.copy()

    def __array__(self, *args: Any, **kwargs: Any) -> np.ndarray:
        raise TypeError("numpy must not read an array of a device")

    def __getitem__(self, key: Any) -> Any:
        raise TypeError("an array of a device must not be read item by item")

    def __len__(self) -> int:
        return self.shape[0]


@pytest.fixture(scope="module")
def frames() -> tuple[Frame, Frame]:
    """A responded frame of a depth camera and a LiDAR, and the same with every channel on a device."""
    import asyncio

    rig = small_rig()
    kinect = CameraModel(width=160, height=120, fx=130, fy=130, cx=79.5, cy=59.5, depth="kinect_v1", far=20)
    rig = replace(rig, sensors={**rig.sensors, "camera": replace(rig.sensors["camera"], model=kinect)})
    opened, backend = open_small(), WarpBackend()
    backend.open(opened.stage, rig, opened.labels)
    try:
        from tailgate.randomize.apply import apply_sample

        sample = draw(opened, 0, cell=0)
        apply_sample(opened, sample)
        backend.apply(sample)
        plain = respond(asyncio.run(backend.capture()), sample, rig, (5, "device"))
    finally:
        backend.close()
        opened.close()
    sensors = {
        name: replace(sensor, channels={n: OnDevice(np.asarray(c)) if n != "exposure" else c for n, c in sensor.channels.items()})
        for name, sensor in plain.sensors.items()
    }
    return plain, replace(plain, sensors=sensors)


def test_a_frame_on_a_device_leaves_the_same_evidence(frames):
    a, b = (measure(frame, "name", "group") for frame in frames)
    assert a.codes == b.codes and np.array_equal(a.signature, b.signature) and len(a.crops) == len(b.crops) > 0
    assert len(a.blocks) == len(b.blocks) > 0
    for x, y in zip(a.blocks, b.blocks, strict=True):
        assert x.counts.keys() == y.counts.keys() and all(np.array_equal(x.counts[k], y.counts[k]) for k in x.counts)


def test_a_frame_on_a_device_is_stored_the_same(frames, tmp_path):
    plain, there = frames
    assert store.digest(plain) == store.digest(there)
    store.save(there, tmp_path / "frame")
    loaded = store.load(tmp_path / "frame")
    for name, sensor in plain.sensors.items():
        for channel, values in sensor.channels.items():
            assert np.array_equal(loaded.sensors[name].channels[channel], host(values), equal_nan=True), channel


def test_points_and_pictures_of_a_device(frames):
    from tailgate.report import draw as pictures

    plain, there = frames
    a, b = (frame.sensors["lidar"].points() for frame in frames)
    assert all(np.array_equal(a[name], b[name]) for name in a)
    assert np.array_equal(pictures.rgb(plain.sensors["camera"]), pictures.rgb(there.sensors["camera"]))
