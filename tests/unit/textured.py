"""Images in files, and surfaces that show them."""

import numpy as np
import pytest
import stage_kit as kit
from pxr import Gf, Sdf, UsdGeom, UsdShade

QUARTERS = np.zeros((32, 32, 3), np.uint8)
QUARTERS[:16, :16], QUARTERS[:16, 16:], QUARTERS[16:, :16], QUARTERS[16:, 16:] = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)
"""Red, green, blue and white, upper left first."""


def write(path, rgb):
    """Write linear or code values RGB [H, W, 3] by the extension."""
    import cv2

    if path.suffix == ".exr":
        exr = pytest.importorskip("OpenEXR")
        exr.File({"compression": exr.ZIP_COMPRESSION, "type": exr.scanlineimage}, {"RGB": np.ascontiguousarray(rgb)}).write(str(path))
    else:
        assert cv2.imwrite(str(path), np.ascontiguousarray(rgb[..., ::-1]))
    return str(path)


def textured(stage, path, files, scale=None, **values):
    """A preview material whose inputs come from images: {input: (file, output)}."""
    made = kit.material(stage, path, (0.1, 0.1, 0.1), **values)
    shader = UsdShade.Shader(stage.GetPrimAtPath(f"{path}/Surface"))
    reader = UsdShade.Shader.Define(stage, f"{path}/st")
    reader.CreateIdAttr("UsdPrimvarReader_float2")
    reader.CreateInput("varname", Sdf.ValueTypeNames.String).Set("uv")
    for name, (file, output) in files.items():
        node = UsdShade.Shader.Define(stage, f"{path}/{name}_image")
        node.CreateIdAttr("UsdUVTexture")
        node.CreateInput("file", Sdf.ValueTypeNames.Asset).Set(file)
        node.CreateInput("st", Sdf.ValueTypeNames.Float2).ConnectToSource(reader.ConnectableAPI(), "result")
        if name == "normal":
            node.CreateInput("scale", Sdf.ValueTypeNames.Float4).Set(Gf.Vec4f(2, 2, 2, 1))
            node.CreateInput("bias", Sdf.ValueTypeNames.Float4).Set(Gf.Vec4f(-1, -1, -1, 0))
            node.CreateInput("sourceColorSpace", Sdf.ValueTypeNames.Token).Set("raw")
        kind = Sdf.ValueTypeNames.Float if output in "rgba" else Sdf.ValueTypeNames.Float3
        shader.CreateInput(name, kind).ConnectToSource(node.ConnectableAPI(), output)
    return made


def wall(stage, path, bound, distance=5.0, half=2.0):
    """A square that faces the origin from +x; its image is seen upright, u to the viewer's right."""
    d, h = distance, half
    made = kit.mesh(stage, path, [(d, h, -h), (d, -h, -h), (d, -h, h), (d, h, h)], [(0, 1, 2, 3)], bound)
    uv = UsdGeom.PrimvarsAPI(made).CreatePrimvar("uv", Sdf.ValueTypeNames.TexCoord2fArray, "faceVarying")
    uv.Set([Gf.Vec2f(0, 0), Gf.Vec2f(1, 0), Gf.Vec2f(1, 1), Gf.Vec2f(0, 1)])
    return made
