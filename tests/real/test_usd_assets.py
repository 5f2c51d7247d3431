"""Scenes by other authors open, render and name what they hold that cannot be shown."""

import numpy as np
import pytest
import stage_kit as kit
from pxr import Usd
from tailgate.stage.extract import Extraction

VEHICLES = "usd/Vehicles/USD_Mini_Car_Kit/assets/vehicles/{0}/asset/{0}FullAsset.usda"


def look_at(stage, seen_from):
    """Render the whole of a stage from a direction, at a distance of its own diagonal; lights are added in the session layer."""
    arrays = Extraction(stage, {}).run()
    points = np.concatenate([p.points for p in arrays.prototypes])
    low, high = points.min(0).astype(float), points.max(0).astype(float)
    reach = np.linalg.norm(high - low)
    z = -np.array(seen_from) / np.linalg.norm(seen_from)
    x = np.cross(z, [0, 0, 1.0])
    x /= np.linalg.norm(x)
    T = np.eye(4)
    T[:3, :3] = np.stack([z, -x, -np.cross(z, x)], 1)
    T[:3, 3] = (low + high) / 2 - z * reach
    stage.SetEditTarget(stage.GetSessionLayer())
    kit.lights(stage, 0.3, 4.0, (1, -0.8, 1))
    return kit.render(stage, kit.rig_of(kit.pinhole(160, 120, 140.0, far=1e6), T_rig=T)), arrays


@pytest.mark.parametrize(
    "path, triangles",
    [
        ("usd/cornell-box/usdpreviewsurface/cornell-box.usda", 32),
        ("usd/cornell-box/display-color/cornell-box.usda", 32),
        ("usd/McUsd/McUsd.usda", 880),
        ("usd/Teapot/Teapot.usd", 2472),
        ("usd/newton/bear.usd", 1),
        *((VEHICLES.format(name), 1) for name in ("sedan", "ambulance", "tractor", "van")),
    ],
)
def test_asset_renders(data_root, path, triangles):
    if not (data_root / path).is_file():
        pytest.skip(f"{path} is not among the data")
    frame, arrays = look_at(Usd.Stage.Open(str(data_root / path)), (1, -1, 0.7))
    channels = frame.sensors["camera"].channels
    seen = np.isfinite(channels["distance_to_camera"])
    assert sum(len(p.triangles) for p in arrays.prototypes) >= triangles and len(arrays.prototypes) == 1
    assert 0.05 < seen.mean() < 0.95
    assert np.isfinite(channels["HdrColor"]).all() and channels["rgb"][seen][:, :3].std() > 5
    np.testing.assert_allclose(np.linalg.norm(channels["normals"][seen][:, :3], axis=1), 1.0, atol=1e-4)
    assert set(arrays.skipped) <= set(frame.hints)


def test_images_of_real_materials(data_root):
    path = data_root / VEHICLES.format("sedan")
    if not path.is_file():
        pytest.skip("the vehicles are not among the data")
    arrays = Extraction(Usd.Stage.Open(str(path)), {}).run()
    textures, _ = arrays.texture_table()
    assert len(textures) >= 4 and all(arrays.images.get(t.path) is not None for t in textures)
    colours = arrays.material_table()[:, :3]
    assert len(np.unique(colours.round(3), axis=0)) >= 4


def test_all_inputs_of_a_textured_scene(data_root):
    """McUsd: every image is found, some surfaces are cut out, most have normal maps."""
    path = data_root / "usd/McUsd/McUsd.usda"
    if not path.is_file():
        pytest.skip("McUsd is not among the data")
    arrays = Extraction(Usd.Stage.Open(str(path)), {}).run()
    textures, rows = arrays.texture_table()
    assert len(textures) > 50 and (rows[:, 4] >= 0).any() and (rows[:, 5] >= 0).sum() > 10
    assert not [line for line in arrays.skipped if "readable image" in line]
