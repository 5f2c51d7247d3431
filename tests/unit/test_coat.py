"""Clear coats: energy, mirror images and highlights against closed forms, and which inputs give one."""

import numpy as np
import pytest
import stage_kit as kit
from pxr import Sdf, UsdShade
from tailgate.stage.extract import Extraction
from tailgate.stage.materials import COAT


def wall(stage, **look):
    """A square 5 m ahead that faces the camera."""
    bound = kit.material(stage, "/World/look", look.pop("colour", (1.0, 1.0, 1.0)), look.pop("roughness", 0.44), **look)
    kit.mesh(stage, "/World/wall", [(5, -9, -9), (5, 9, -9), (5, 9, 9), (5, -9, 9)], [(0, 3, 2, 1)], bound)


def seen(stage, hints=None):
    """Radiance of the middle pixel."""
    frame = kit.render(stage, kit.rig_of(kit.pinhole(5, 5, 200.0)), {}, hints, **kit.EXACT)
    return frame.sensors["camera"].channels["HdrColor"][2, 2, :3].astype(np.float64)


@pytest.mark.parametrize("amount", [0.0, 0.5, 1.0])
def test_even_light_stays_even(amount):
    """A white surface under a coat in a furnace of 1: what the coat mirrors it takes from below."""
    stage = kit.new_stage()
    kit.lights(stage, sky=1.0)
    wall(stage, clearcoat=amount, clearcoatRoughness=0.02)
    np.testing.assert_allclose(seen(stage), 1.0, atol=3e-3)


def test_a_coat_mirrors_as_its_index_says_and_dims_what_is_below():
    """A glowing wall under a coat of index 1.5, a wall behind the camera that glows in another colour: 4 % of it, 96 % of the other."""
    stage = kit.new_stage()
    kit.lights(stage, sky=1e-6)
    wall(stage, colour=(0.0, 0.0, 0.0), emissiveColor=(1.0, 2.0, 4.0), ior=1.5, clearcoat=1.0)
    back = kit.material(stage, "/World/back", (0.0, 0.0, 0.0), emissiveColor=(30.0, 20.0, 10.0))
    kit.mesh(stage, "/World/behind", [(-5, -50, -50), (-5, 50, -50), (-5, 50, 50), (-5, -50, 50)], [(0, 1, 2, 3)], back)
    got = seen(stage)
    # The lobe below has its own 4 % of index 1.5, broad and lit from a few directions: it is bounded, not known.
    sharp = 0.96 * np.array([1.0, 2.0, 4.0]) + 0.04 * np.array([30.0, 20.0, 10.0])
    assert (got >= sharp - 1e-3).all() and (got <= sharp + 0.96 * 0.05 * np.array([30.0, 20.0, 10.0])).all()
    half = kit.new_stage()
    kit.lights(half, sky=1e-6)
    wall(half, colour=(0.0, 0.0, 0.0), emissiveColor=(1.0, 2.0, 4.0), ior=1.0)
    np.testing.assert_allclose(seen(half), [1, 2, 4], rtol=1e-4)


def test_fog_lies_before_a_coat():
    stage = kit.new_stage()
    kit.lights(stage, sky=1.0)
    wall(stage, clearcoat=1.0)
    np.testing.assert_allclose(seen(stage, {"fog_extinction": 0.1}), 1.0, atol=3e-3)


def test_inputs_of_coats():
    """UsdPreviewSurface takes the surface's index, other families have their own."""
    stage = kit.new_stage()
    made = {"preview": kit.material(stage, "/World/preview", (0.5,) * 3, clearcoat=0.8, clearcoatRoughness=0.1, ior=2.0)}
    for name, kind, values in (
        ("omni", "OmniPBR", {"enable_clearcoat": True, "clearcoat_weight": 0.5}),
        ("off", "OmniPBR", {"enable_clearcoat": False, "clearcoat_weight": 0.5}),
        ("surface", "OmniSurface", {"coat_weight": 1.0, "coat_roughness": 0.3}),
    ):
        made[name] = UsdShade.Material.Define(stage, f"/World/{name}")
        shader = UsdShade.Shader.Define(stage, f"/World/{name}/Shader")
        shader.SetSourceAsset(Sdf.AssetPath(f"{kind}.mdl"), "mdl")
        shader.SetSourceAssetSubIdentifier(kind, "mdl")
        for key, value in values.items():
            shader.CreateInput(key, Sdf.ValueTypeNames.Bool if isinstance(value, bool) else Sdf.ValueTypeNames.Float).Set(value)
        made[name].CreateSurfaceOutput("mdl").ConnectToSource(shader.ConnectableAPI(), "out")
    for k, (name, look) in enumerate(made.items()):
        kit.mesh(stage, f"/World/{name}_wall", np.array([(5, 0, k), (5, 1, k), (5, 1, k + 1)]), [(0, 1, 2)], look)
    arrays = Extraction(stage, {}).run()
    table = arrays.material_table()
    rows = {reader.path.rsplit("/", 1)[-1]: table[row, COAT : COAT + 3] for row, reader in arrays.readers.items()}
    np.testing.assert_allclose(rows["preview"], [0.8, 0.1, 1 / 9], atol=1e-6)
    np.testing.assert_allclose(rows["omni"], [0.5, 0.0, (0.56 / 2.56) ** 2], atol=1e-6)
    np.testing.assert_allclose(rows["surface"], [1.0, 0.3, 0.04], atol=1e-6)
    assert not rows["off"].any() and not any("coat" in line for line in arrays.skipped)
