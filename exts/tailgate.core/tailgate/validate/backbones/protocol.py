"""What a backbone is, the table of those there are, and how a budget's name becomes one."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

import numpy as np

from tailgate.config.load import within
from tailgate.errors import UserError, Where, nearest
from tailgate.frames import SensorFrame
from tailgate.registry import Registry
from tailgate.validate.crops import Crop

FILES = (".pt", ".pt2", ".onnx")
"""Endings of model files: TorchScript, ``torch.export``, ONNX."""
LIBRARIES = ("timm", "torchvision")
"""Libraries whose models can be named as ``<library>:<model>``."""
KEY = Where(key="gate.backbone")


class Backbone:
    """A frozen feature extractor. One that looks at whole images or scans gives a map, one that looks at clouds gives features of a crop's points.

    Attributes:
        name: what a budget calls it.
    """

    name = ""

    def map(self, sensor: SensorFrame) -> np.ndarray | None:
        """Features of a whole image or scan, float32 [h, w, D] with h ≤ rows and w ≤ columns, finite; None where this backbone looks at the points
        of a crop instead. A pixel or return takes the features of the cell it falls in."""
        return None

    def points(self, crop: Crop) -> np.ndarray:
        """Features of each point of a crop that carries none, float32 [n, D]: local geometry unless a backbone knows better."""
        from tailgate.validate.backbones.geometric import point_features

        return point_features(crop)

    def of_crop(self, crop: Crop) -> np.ndarray:
        """Features of each point of a crop: those taken from the image when it was measured, else ``points``.

        Raises:
            UserError: NaN or infinity, named with the frame and the object.
        """
        found = crop.features if crop.features is not None else self.points(crop)
        if not np.isfinite(found).all():
            raise UserError(f"backbone '{self.name}' must give finite features, got NaN or infinity for object {crop.instance} of frame {crop.frame}")
        return found


backbones = Registry("backbone", "tailgate.backbones")
"""Backbones by name: the built-in ones and those of plugins."""


def open_backbone(spec: str, roots: Sequence[Path] = (Path("."),)) -> Backbone:
    """The backbone that a budget names.

    Args:
        spec: a registered name (geometric, range_image, rgbd), a file ending in .pt, .pt2 or .onnx, or ``timm:<model>``, ``torchvision:<model>``,
            each with ``=<file of weights>`` behind it where the library's local cache does not hold them.
        roots: folders that files may lie in; a relative path starts from the first that holds it.

    Raises:
        UserError: an unknown name, a file outside the roots, missing, or that does not load, a missing library, or output of the wrong shape.
    """
    library, _, model = spec.partition(":")
    if library in LIBRARIES and model:
        from tailgate.validate.backbones.library import open_library_model

        model, _, weights = model.partition("=")
        return open_library_model(library, model, _file(weights, roots) if weights else None)
    if spec.endswith(FILES):
        from tailgate.validate.backbones.files import open_model_file

        return open_model_file(_file(spec, roots))
    for name in ("geometric", "range_image", "rgbd"):
        import_module(f"tailgate.validate.backbones.{name}")
    if spec not in list(backbones):
        ways = f"or a file ({', '.join(FILES)}) or {LIBRARIES[0]}:<model>"
        raise UserError(f"must name a registered backbone{nearest(spec, backbones)}, {ways}; got '{spec}'", KEY)
    return backbones.get(spec)()


def locate(spec: str, roots: Sequence[Path]) -> str:
    """The same backbone with its file, if it names one, as an absolute path: what a process in another folder can open.

    Raises:
        UserError: a file outside the roots or missing.
    """
    model, mark, weights = spec.partition("=")
    if spec.partition(":")[0] in LIBRARIES:
        return f"{model}={_file(weights, roots)}" if mark else spec
    return str(_file(spec, roots)) if spec.endswith(FILES) else spec


def file_of(spec: str) -> Path | None:
    """The file that a located backbone depends on, or None."""
    weights = spec.partition("=")[2] if spec.partition(":")[0] in LIBRARIES else spec if spec.endswith(FILES) else ""
    return Path(weights) if weights else None


def _file(name: str, roots: Sequence[Path]) -> Path:
    base = next((r for r in roots if (Path(r) / name).is_file()), roots[0])
    path = within([Path(r) for r in roots], name, KEY, Path(base))
    if not path.is_file():
        raise UserError(f"file not found{nearest(path.name, [p.name for p in path.parent.glob('*') if p.suffix in FILES])}", path)
    return path
