"""PCD, PLY, LAS and LAZ sweeps: kept, organised, shifted or refused, always with the file's name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sweeps import room_sweep, same_cloud
from tailgate.errors import UserError
from tailgate.reference.clouds import FOOT, US_FOOT, CloudsReader
from tailgate.reference.moments import UNITS
from tailgate.reference.open import open_reader

SWEEP = room_sweep()
XYZ = SWEEP.xyz.reshape(-1, 3)
RING = SWEEP.ring.reshape(-1)


def write_pcd(path: Path, fields: dict[str, np.ndarray], height: int = 1, encoding: str = "binary") -> None:
    from pypcd4 import Encoding, PointCloud

    types = [values.dtype.type for values in fields.values()]
    cloud = PointCloud.from_points(list(fields.values()), list(fields), types)
    cloud.metadata = cloud.metadata.derive(height=height, width=len(XYZ) // height) if height > 1 else cloud.metadata
    cloud.save(path, Encoding(encoding))


def coordinates(xyz: np.ndarray = XYZ, kind: str = "float32") -> dict[str, np.ndarray]:
    return {axis: xyz[:, i].astype(kind) for i, axis in enumerate("xyz")}


def write_ply(path: Path, fields: dict[str, np.ndarray], text: bool = False) -> None:
    from plyfile import PlyData, PlyElement

    rows = np.zeros(len(next(iter(fields.values()))), dtype=[(name, values.dtype) for name, values in fields.items()])
    for name, values in fields.items():
        rows[name] = values
    PlyData([PlyElement.describe(rows, "vertex")], text=text).write(str(path))


def write_las(
    path: Path, xyz: np.ndarray, offset: tuple[float, float, float] = (0, 0, 0), wkt: str | None = None, keys: dict[int, int] | None = None
) -> None:
    import laspy
    from laspy.vlrs.known import GeoKeyDirectoryVlr, WktCoordinateSystemVlr

    header = laspy.LasHeader(point_format=6, version="1.4")
    header.offsets, header.scales = np.array(offset), np.full(3, 1e-4)
    if wkt:
        header.vlrs.append(WktCoordinateSystemVlr(wkt))
    if keys:
        header.vlrs.append(GeoKeyDirectoryVlr())
        rows = [(1, 1, 0, len(keys)), *((key, 0, 1, value) for key, value in keys.items())]
        header.vlrs[-1].parse_record_data(np.array(rows, "<u2").tobytes())
    header.add_extra_dim(laspy.ExtraBytesParams(name="ring", type=np.uint8))
    las = laspy.LasData(header)
    las.x, las.y, las.z = xyz.T
    las.intensity = np.full(len(xyz), 13107, np.uint16)
    las.classification = np.where(RING > 5, 2, 0).astype(np.uint8)
    las.ring = RING.astype(np.uint8)
    las.write(str(path))


def read(root: Path, **options: object):
    reader = CloudsReader(root, options)
    frame = reader.read(reader.entries()[0].name)
    return reader, frame, frame.sensors["lidar"]


@pytest.mark.parametrize("encoding", ["ascii", "binary", "binary_compressed"])
def test_organised_pcd_keeps_its_rows(tmp_path, encoding):
    xyz = XYZ.copy()
    xyz[200:220] = np.nan
    write_pcd(tmp_path / "a.pcd", {**coordinates(xyz), "intensity": np.full(len(XYZ), 51, np.uint8)}, 8, encoding)
    _, _, sensor = read(tmp_path)
    assert sensor.channels["range"].shape == (8, 180, 1)
    held = sensor.channels["range"][..., 0] > 0
    assert np.array_equal(held, np.isfinite(xyz[:, 0]).reshape(8, 180))
    assert np.abs(sensor.channels["range"][..., 0] - SWEEP.range)[held].max() < 1e-5
    assert sensor.points()["intensity"].max() == pytest.approx(0.2)


def test_ring_organises_a_list(tmp_path):
    order = np.random.default_rng(4).permutation(len(XYZ))
    fields = {**coordinates(), "Ring": (7 - RING).astype(np.uint16), "scalar_Label": np.full(len(XYZ), 4, np.uint8)}
    write_pcd(tmp_path / "a.pcd", {name: values[order] for name, values in fields.items()})
    _, frame, sensor = read(tmp_path, labels={"wall": 4})
    assert sensor.channels["range"].shape == (8, 180, 1) and same_cloud(sensor.points()["xyz"], XYZ)
    assert frame.labels == {"background": 0, "wall": 4} and np.all(sensor.points()["semantic"] == 4)


@pytest.mark.parametrize("text", [True, False])
def test_ply(tmp_path, text):
    write_ply(tmp_path / "a.ply", {**coordinates(), "scalar_Intensity": np.full(len(XYZ), 100.0, np.float32)}, text)
    with pytest.raises(UserError, match=r"a\.ply: holds intensities of 100\.\.100.*intensity_full=255"):
        read(tmp_path)
    _, _, sensor = read(tmp_path, intensity_full=200)
    assert same_cloud(sensor.points()["xyz"], XYZ) and np.all(sensor.points()["intensity"] == 0.5)


def test_bare_cloud_that_cannot_be_organised_names_the_option(tmp_path):
    gen = np.random.default_rng(5)
    direction = gen.normal(size=(4000, 3))
    write_pcd(tmp_path / "a.pcd", coordinates(5 * direction / np.linalg.norm(direction, axis=1, keepdims=True)))
    with pytest.raises(UserError, match=r"a\.pcd: stores no ring.*beams=64"):
        read(tmp_path)


@pytest.mark.parametrize("suffix", ["las", "laz"])
def test_las_in_the_sensor_frame(tmp_path, suffix):
    write_las(tmp_path / f"a.{suffix}", XYZ)
    reader, frame, sensor = read(tmp_path)
    assert same_cloud(sensor.points()["xyz"], XYZ, 3e-4) and sensor.points()["intensity"].max() == pytest.approx(0.2)
    assert frame.labels == {"background": 0, "ground": 2} and not any("shifted" in note for note in reader.notes)


def test_georeferenced_las_is_shifted_and_said(tmp_path):
    place = (412_000.0, 5_650_000.0, 120.0)
    write_las(tmp_path / "a.las", XYZ + np.array(place), place)
    reader, _, sensor = read(tmp_path)
    assert same_cloud(sensor.points()["xyz"], XYZ, 3e-4)
    assert any("shifted by (412000.0, 5650000.0, 120.0)" in note for note in reader.notes)
    reader, _, sensor = read(tmp_path, origin=[412_000.0, 5_650_000.0, 119.5])
    assert sensor.points()["xyz"][:, 2].min() == pytest.approx(XYZ[:, 2].min() + 0.5, abs=1e-3)
    assert not any("shifted" in note for note in reader.notes)


def test_las_in_feet_becomes_metres(tmp_path):
    wkt = 'PROJCS["x",GEOGCS["y",UNIT["degree",0.0174532925199433]],UNIT["foot",0.3048]]'
    write_las(tmp_path / "a.las", XYZ / FOOT, wkt=wkt)
    assert same_cloud(read(tmp_path)[2].points()["xyz"], XYZ, 3e-4)


@pytest.mark.parametrize(("unit", "metres"), [(9001, 1.0), (9002, FOOT), (9003, US_FOOT)])
def test_las_units_by_geographic_key(tmp_path, unit, metres):
    write_las(tmp_path / "a.las", XYZ / metres, keys={1024: 1, 3076: unit})
    assert same_cloud(read(tmp_path)[2].points()["xyz"], XYZ, 3e-4)


DEGREES = 'GEOGCS["y",UNIT["degree",0.0174532925199433]]'


@pytest.mark.parametrize("says", [{"wkt": DEGREES}, {"keys": {1024: 2}}, {"keys": {1024: 1, 3076: 9102}}], ids=["wkt", "keys", "unit"])
def test_las_in_degrees_is_refused(tmp_path, says):
    write_las(tmp_path / "a.las", XYZ, **says)
    with pytest.raises(UserError, match=r"a\.las: must hold metres or feet"):
        read(tmp_path)


@pytest.mark.parametrize("suffix", ["pcd", "ply", "las", "laz"])
@pytest.mark.parametrize("keep", [0.0, 0.02, 0.6])
def test_damaged_files_are_named(tmp_path, suffix, keep):
    path = tmp_path / f"a.{suffix}"
    if suffix == "pcd":
        write_pcd(path, coordinates())
    elif suffix == "ply":
        write_ply(path, coordinates())
    else:
        write_las(path, XYZ)
    path.write_bytes(path.read_bytes()[: int(keep * path.stat().st_size)])
    with pytest.raises(UserError, match=rf"a\.{suffix}: "):
        CloudsReader(tmp_path)


def test_other_mistakes(tmp_path):
    with pytest.raises(UserError, match="must hold .pcd, .ply, .las, .laz files"):
        CloudsReader(tmp_path)
    write_ply(tmp_path / "a.ply", {"x": XYZ[:, 0], "y": XYZ[:, 1]})
    with pytest.raises(UserError, match=r"a\.ply: must have the fields x, y and z, lacks z"):
        CloudsReader(tmp_path)
    write_ply(tmp_path / "a.ply", coordinates(XYZ * np.nan))
    with pytest.raises(UserError, match=r"a\.ply: holds no return"):
        CloudsReader(tmp_path, {"beams": 8})
    with pytest.raises(UserError, match=r"reference\.options\.beam.*did you mean 'beams'"):
        CloudsReader(tmp_path, {"beam": 8})
    with pytest.raises(UserError, match="beams must be"):
        CloudsReader(tmp_path, {"beams": "many"})


def test_recordings(tmp_path):
    (tmp_path / "yard").mkdir()
    for name in ("gate_f0.pcd", "gate_f1.pcd", "yard/1.pcd", "yard/2.pcd"):
        write_pcd(tmp_path / name, coordinates())
    assert [e.recording for e in open_reader("clouds", tmp_path, {"beams": 8})[1]] == ["gate", "gate", "yard", "yard"]


@pytest.mark.parametrize(("unit", "dtype"), [("s", "float64"), ("ms", "float32"), ("us", "uint32"), ("ns", "uint32")])
@pytest.mark.parametrize("field", ["time", "t", "timestamp", "scalar_GPS_Time"])
def test_times_are_read_in_the_unit_that_makes_a_sweep_of_their_span(tmp_path, unit, dtype, field):
    column = np.tile(np.arange(SWEEP.range.shape[1]), len(SWEEP.range))
    since = 0.1 * column / SWEEP.range.shape[1]
    stamps = ((since + (1.7e3 if dtype.startswith("f") else 0.0)) / UNITS[unit]).astype(dtype)
    write_ply(tmp_path / "a.ply", {**coordinates(), "ring": RING.astype(np.uint8), field: stamps})
    reader = CloudsReader(tmp_path)
    scan = reader.read("a.ply").sensors["lidar"]
    held = scan.channel("range")[..., 0] > 0
    assert held.all() and scan.channel("time_offset").max() == pytest.approx(1e9 * since.max(), rel=3e-2)
    assert any(f"Times are taken as {unit}." in note for note in reader.notes)


def test_times_of_no_sweep_are_not_read_and_said(tmp_path):
    write_ply(tmp_path / "a.ply", {**coordinates(), "ring": RING.astype(np.uint8), "t": np.arange(len(XYZ), dtype=np.float32) / 100})
    reader = CloudsReader(tmp_path)
    assert any("Times span 14.39, which in no unit is a sweep" in note for note in reader.notes)
    assert "time_offset" not in reader.read("a.ply").sensors["lidar"].channels
