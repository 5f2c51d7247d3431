"""Every Warp kernel has a readable numpy twin that tests compare it with. A new kernel fails here until this table names its twin."""

import ast
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = [ROOT / "exts/tailgate.core", ROOT / "exts/tailgate.rtx", ROOT / "exts/tailgate.ui", ROOT / "randomizers/tailgate.randomizers"]
SELF_TEST = "exts/tailgate.core/tailgate/geometry/wide_check.py"
TWINS = {
    "tailgate.doctor.kernel": {"double": "tailgate.doctor.kernel.double_twin"},
    "tailgate.geometry.local_planes": {"_moments _fit": "tailgate.geometry.local_planes.local_planes_twin"},
    "tailgate.geometry.rays": {"trace_kernel": "tailgate.geometry.twins.trace_twin"},
    "tailgate.geometry.wide_build": {"build_kernel": "tailgate.geometry.twins.tree_twin"},
    "tailgate.geometry.wide_check": {"probe_kernel": "tailgate.geometry.twins.trace_twin"},
    "tailgate.render.raytrace.camera_kernels": {
        "see_kernel": "tailgate.render.raytrace.scene_twin.see_twin",
        "sun_kernel": "tailgate.render.raytrace.light_twins.sun_twin",
        "sky_kernel": "tailgate.render.raytrace.light_twins.sky_light_twin",
        "mirror_kernel": "tailgate.render.raytrace.light_twins.mirror_twin tailgate.render.raytrace.light_twins.lobe_twin",
        "radiance_kernel": "tailgate.render.raytrace.light_twins.radiance_twin",
    },
    "tailgate.render.raytrace.coat_kernel": {"coat_kernel": "tailgate.render.raytrace.light_twins.coat_twin"},
    "tailgate.render.raytrace.edges": {"edge_kernel": "tailgate.render.raytrace.image_twins.edge_twin"},
    "tailgate.render.raytrace.lidar_echoes": {
        "echo_kernel": "tailgate.render.raytrace.lidar_echoes.echoes_twin",
        "label_kernel": "tailgate.render.raytrace.lidar_twins.labels_twin",
        "mover_kernel": "tailgate.render.raytrace.lidar_twins.movers_twin",
    },
    "tailgate.render.raytrace.lidar_kernels": {"fire_kernel": "tailgate.render.raytrace.lidar_twins.fire_twin"},
    "tailgate.render.raytrace.pane_kernels": {
        "behind_kernel": "tailgate.render.raytrace.scene_twin.behind_twin",
        "pane_kernel": "tailgate.render.raytrace.light_twins.pane_kernel_twin",
    },
    "tailgate.render.raytrace.smoothing": {"smooth_kernel": "tailgate.render.raytrace.image_twins.smooth_twin"},
    "tailgate.render.raytrace.tone": {
        "add_kernel": "tailgate.render.raytrace.image_twins.exposures_twin",
        "tone_kernel": "tailgate.render.raytrace.image_twins.tone_twin",
    },
    "tailgate.render.raytrace.visibility": {
        "count_kernel": "tailgate.render.raytrace.lidar_twins.count_twin",
        "alone_kernel": "tailgate.render.raytrace.lidar_twins.alone_twin",
        "count_firings_kernel": "tailgate.render.raytrace.lidar_twins.count_firings_twin",
        "alone_rays_kernel": "tailgate.render.raytrace.lidar_twins.alone_firings_twin",
    },
    "tailgate.sensors.colour": {
        "decode_kernel": "tailgate.sensors.colour.decode_twin",
        "radiance_kernel": "tailgate.sensors.colour.radiance_twin",
        "luminance_kernel": "tailgate.sensors.colour.luminance_twin",
    },
    "tailgate.sensors.handover": {"driver_kernel share_kernel": "tailgate.sensors.colour.respond_twin"},
    "tailgate.sensors.inverse_depth": {
        "surface_kernel slant_kernel shadow_kernel move_kernel spread_kernel close_kernel": "tailgate.sensors.kinect_twin.respond_depth_twin",
    },
    "tailgate.sensors.isp": {"develop_kernel": "tailgate.sensors.colour.respond_twin"},
    "tailgate.sensors.kinect": {
        "lit_kernel seen_kernel disparity_kernel depth_kernel finite_kernel": "tailgate.sensors.kinect_twin.respond_depth_twin",
    },
    "tailgate.sensors.lidar_air": {"slice_kernel air_kernel": "tailgate.sensors.lidar_air.air_twin"},
    "tailgate.sensors.lidar_bloom": {"bloom_kernel": "tailgate.sensors.lidar_bloom.bloom_twin"},
    "tailgate.sensors.lidar_kernels": {"_white _along_beams _measure _shine _returned": "tailgate.sensors.lidar_twin.respond_lidar_twin"},
    "tailgate.sensors.lidar_storage": {"_store": "tailgate.sensors.lidar_storage.store_returns_twin"},
    "tailgate.sensors.matching_kernels": {"pattern_kernel extremes_kernel vote_kernel": "tailgate.sensors.kinect_twin.respond_depth_twin"},
    "tailgate.sensors.noise_field": {
        "white_kernel smooth_kernel": "tailgate.sensors.noise_field.noise_fields_twin",
    },
    "tailgate.sensors.optics": {
        "dim_kernel chromatic_kernel spread_kernel shrink_kernel scatter_kernel": "tailgate.sensors.optics.through_lens_twin",
    },
    "tailgate.sensors.photosites": {"expose_kernel": "tailgate.sensors.colour.respond_twin"},
    "tailgate.sensors.sharpening": {"sharpen_kernel": "tailgate.sensors.colour.respond_twin"},
    "tailgate.sensors.stereo": {"texture_kernel match_kernel": "tailgate.sensors.stereo.respond_stereo_twin"},
    "tailgate.sensors.tof": {"phasor_kernel phase_kernel": "tailgate.sensors.tof.respond_tof_twin"},
    "tailgate.stage.normals": {"_average": "tailgate.stage.normals.smooth_normals_twin"},
    "tailgate.validate.backbones.grid": {"_sum": "tailgate.validate.backbones.grid.local_grid_twin"},
    "tailgate.validate.chamfer": {"pairs": "tailgate.validate.chamfer.chamfer_matrix_twin"},
    "tailgate.validate.density": {"_choose _terms": "tailgate.validate.density.density_aware_chamfer_twin"},
    "tailgate.validate.js": {"_norms _histograms": "tailgate.validate.js.js_norm_by_class_twin"},
    "tailgate.validate.m3c2": {"_normals _means": "tailgate.validate.m3c2.m3c2_twin"},
    "tailgate.validate.mmd": {"_rbf_sums": "tailgate.validate.mmd.mmd2_twin", "_cubic_sums": "tailgate.validate.mmd.kid_twin"},
    "tailgate.validate.nearest": {"_bounds _gather _codes _leaves _parents search": "tailgate.validate.chamfer.halves_twin"},
    "tailgate_rtx.image_kernels": {
        "take_kernel": "tailgate_rtx.image_kernels.taken_twin tailgate_rtx.image_kernels.seen_twin",
        "sky_kernel fog_kernel": "tailgate_rtx.image_kernels.fog_twin",
    },
}
"""By module: kernels that are one measure, and their twin, or several for parts of what they do."""


def functions(path: Path) -> dict[str, ast.FunctionDef]:
    return {node.name: node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef)}


def kernels() -> set[tuple[str, str]]:
    """Module and name of every function that ``wp.kernel`` decorates."""
    found = set()
    for package in PACKAGES:
        for path in package.rglob("*.py"):
            if "wp.kernel" in path.read_text():
                module = ".".join(path.relative_to(package).with_suffix("").parts)
                marked = {name: [ast.unparse(mark) for mark in made.decorator_list] for name, made in functions(path).items()}
                found |= {(module, name) for name, marks in marked.items() if any(mark.startswith("wp.kernel") for mark in marks)}
    return found


@cache
def called() -> set[str]:
    """Names of functions that tests, or the self-test of the wide trees, take other than by importing them."""
    paths = [path for folder in ("unit", "usd", "isaac") for path in (ROOT / "tests" / folder).glob("test_*.py")]
    nodes = [node for path in (*paths, ROOT / SELF_TEST) if "_twin" in path.read_text() for node in ast.walk(ast.parse(path.read_text()))]
    return {node.id if isinstance(node, ast.Name) else node.attr for node in nodes if isinstance(node, (ast.Name, ast.Attribute))}


ROWS = [
    (module, kernel, twin) for module, held in TWINS.items() for names, twins in held.items() for kernel in names.split() for twin in twins.split()
]


def test_every_kernel_has_a_twin():
    named = {(module, kernel) for module, kernel, _ in ROWS}
    assert kernels() - named == set(), "write a readable numpy twin, compare the kernel with it in a test, and name it in TWINS"
    assert named - kernels() == set(), "no such kernels"


@pytest.mark.parametrize("twin", sorted({twin for *_, twin in ROWS}))
def test_twins_are_plain_functions_that_tests_use(twin):
    module, name = twin.rsplit(".", 1)
    source = next(p for package in PACKAGES if (p := package.joinpath(*module.split(".")).with_suffix(".py")).exists())
    made = functions(source)[name]
    assert not made.decorator_list and ast.get_docstring(made)
    assert name in called(), f"no test uses {name}"
