"""One frame of each annotator of a small stage: dtype, shape and range as documented, and whether a view on the GPU is one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tailgate.reference.replicator import BOX_3D_FIELDS, BOX_FIELDS

from tailgate_rtx.selfcheck.found import Findings

WIDTH, HEIGHT = 320, 240
CHECK = "annotators"
ROOT = "/TailgateSelfCheck"
BOX_AT, BOX_SIZE, CAMERA_AT = (0.0, 0.0, 1.0), 2.0, (-8.0, 0.0, 1.0)
"""A labelled cube of 2 m, 7 m of air before the camera that looks along +x."""
DEPTH = CAMERA_AT[0] * -1 - BOX_SIZE / 2
"""Depth of the cube's front [m]."""


@dataclass(frozen=True)
class Image:
    """What an annotator's array must be.

    Attributes:
        dtype: name.
        channels: last axis, 0 for a plain (H, W).
        low, high: bounds of its finite values.
    """

    dtype: str
    channels: int
    low: float
    high: float


IMAGES = {
    "rgb": Image("uint8", 4, 0, 255),
    "HdrColor": Image("float16", 4, 0.0, 65504.0),
    "distance_to_image_plane": Image("float32", 0, 0.0, 1e6),
    "distance_to_camera": Image("float32", 0, 0.0, 1e6),
    "normals": Image("float32", 4, -1.001, 1.001),
    "semantic_segmentation": Image("uint32", 0, 0, 1e9),
    "instance_segmentation": Image("uint32", 0, 0, 1e9),
}
BOXES = ("bounding_box_2d_tight", "bounding_box_2d_loose", "bounding_box_3d")


def build(stage: Any) -> None:
    """A labelled cube, a ground, a sky and a camera, all under ROOT; lengths are metres whatever the stage's unit."""
    from pxr import Gf, UsdGeom, UsdLux
    from tailgate.stage.labels import set_labels

    unit = 1.0 / UsdGeom.GetStageMetersPerUnit(stage)
    cube = UsdGeom.Cube.Define(stage, f"{ROOT}/Box")
    cube.CreateSizeAttr(BOX_SIZE * unit)
    cube.AddTranslateOp().Set(Gf.Vec3d(*BOX_AT) * unit)
    set_labels(cube.GetPrim(), "class", "box")
    UsdLux.DomeLight.Define(stage, f"{ROOT}/Sky").CreateIntensityAttr(1000.0)
    camera = UsdGeom.Camera.Define(stage, f"{ROOT}/Camera")
    camera.CreateFocalLengthAttr(20.0)
    camera.CreateHorizontalApertureAttr(20.0)
    camera.CreateVerticalApertureAttr(20.0 * HEIGHT / WIDTH)
    camera.CreateClippingRangeAttr(Gf.Vec2f(0.05 * unit, 500.0 * unit))
    camera.AddTransformOp().Set(Gf.Matrix4d(0, -1, 0, 0, 0, 0, 1, 0, -1, 0, 0, 0, *(v * unit for v in CAMERA_AT), 1))


async def check_annotators(found: Findings) -> None:
    """Render the small stage and look at everything the backend reads."""
    import omni.replicator.core as rep
    import omni.usd

    context = omni.usd.get_context()
    await context.new_stage_async()
    build(context.get_stage())
    rep.orchestrator.set_capture_on_play(False)
    product = rep.create.render_product(f"{ROOT}/Camera", (WIDTH, HEIGHT))
    attached = {name: _attached(rep, product, name) for name in (*IMAGES, *BOXES, "camera_params")}
    view = rep.annotators.get("distance_to_image_plane", device="cuda", do_array_copy=False)
    view.attach(product)
    try:
        for _ in range(3):
            await rep.orchestrator.step_async(rt_subframes=16, delta_time=0.0, pause_timeline=False)
        for name, image in IMAGES.items():
            _check_image(found, name, image, attached[name].get_data())
        for name in BOXES:
            _check_boxes(found, name, attached[name].get_data())
        _check_depth(found, attached["distance_to_image_plane"].get_data())
        _check_labels(found, attached["instance_segmentation"].get_data())
        _check_camera(found, attached["camera_params"].get_data())
        _check_view(found, view)
    finally:
        for annotator in (*attached.values(), view):
            annotator.detach()
        product.destroy()


def _attached(rep: Any, product: Any, name: str) -> Any:
    init = {"colorize": False} if "segmentation" in name else None
    return rep.annotators.get(name, init_params=init).attach(product)


def _array(data: Any) -> np.ndarray:
    return np.asarray(data["data"] if isinstance(data, Mapping) else data)


def _check_image(found: Findings, name: str, image: Image, data: Any) -> None:
    array = _array(data)
    shape = (HEIGHT, WIDTH, *([image.channels] if image.channels else []))
    found.add(CHECK, f"{name}: type", array.dtype == image.dtype and array.shape == shape, f"{array.dtype} {array.shape}", f"{image.dtype} {shape}")
    finite = array[np.isfinite(array)].astype(np.float64) if array.size else np.zeros(0)
    if finite.size:
        low, high = finite.min(), finite.max()
        found.add(CHECK, f"{name}: range", image.low <= low <= high <= image.high, f"{low:g} … {high:g}", f"{image.low:g} … {image.high:g}")


def _check_boxes(found: Findings, name: str, data: Any) -> None:
    table, info = _array(data), data.get("info", {}) if isinstance(data, Mapping) else {}
    wanted = BOX_3D_FIELDS if name == "bounding_box_3d" else BOX_FIELDS
    lacking = [field for field in wanted if field not in (table.dtype.names or ())]
    found.add(CHECK, f"{name}: fields", not lacking, f"{len(table)} rows, lacking {lacking or 'nothing'}", ", ".join(wanted))
    paths = [str(p) for p in info.get("primPaths", [])]
    found.add(CHECK, f"{name}: paths", paths == [f"{ROOT}/Box"], paths, f"[{ROOT}/Box]")


def _check_depth(found: Findings, data: Any) -> None:
    depth = float(_array(data)[HEIGHT // 2, WIDTH // 2])
    found.add(CHECK, "depth of the cube", abs(depth - DEPTH) < 0.01, f"{depth:.4f} m", f"{DEPTH:.2f} m")


def _check_labels(found: Findings, data: Any) -> None:
    ids, info = _array(data), data.get("info", {}) if isinstance(data, Mapping) else {}
    centre = str(int(ids[HEIGHT // 2, WIDTH // 2]))
    paths = {str(k): str(v) for k, v in info.get("idToLabels", {}).items()}
    classes = {str(k): v for k, v in info.get("idToSemantics", {}).items()}
    found.add(CHECK, "instance id leads to the prim", paths.get(centre) == f"{ROOT}/Box", f"{centre} -> {paths.get(centre)}", f"{ROOT}/Box")
    found.add(CHECK, "and to its class", classes.get(centre, {}).get("class") == "box", classes.get(centre), "{'class': 'box'}")


def _check_camera(found: Findings, held: Mapping[str, Any]) -> None:
    from tailgate.reference.replicator import camera_of

    camera = camera_of(held, Path("camera_params"))
    place, way = camera.T_world_camera[:3, 3] * camera.unit, camera.T_world_camera[:3, 2]
    found.add(CHECK, "camera: position", np.allclose(place, CAMERA_AT, atol=1e-3), np.round(place, 4).tolist(), str(list(CAMERA_AT)))
    found.add(CHECK, "camera: looks along +x", bool(way[0] > 0.999), np.round(way, 4).tolist(), "[1, 0, 0]")
    found.add(CHECK, "camera: focal length", abs(camera.intrinsics.fx - WIDTH) < 0.5, f"{camera.intrinsics.fx:.2f} px", f"{WIDTH} px")


def _check_view(found: Findings, annotator: Any) -> None:
    """Two readings of a view name one address: nothing was copied."""
    first, second = annotator.get_data(), annotator.get_data()
    same = getattr(first, "ptr", None) is not None and first.ptr == second.ptr
    words = f"{type(first).__name__} on {getattr(first, 'device', '?')}, {'one address' if same else 'two addresses'}"
    found.add(CHECK, "view on the GPU without a copy", same, words, "one address")
