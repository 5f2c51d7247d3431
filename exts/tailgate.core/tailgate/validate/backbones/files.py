"""Backbones from a file the user names: TorchScript (.pt), ``torch.export`` (.pt2) and ONNX (.onnx), run on the CPU.

The file is a function of one float32 array. Image: [1, 3, H, W] sRGB 0..1 → [1, D, h, w]; a pixel has the features of the cell it falls in. Cloud:
[1, n, 3] points in the crop's axes [m], or [1, n, 4] with intensity 0..1 (0 where the sensor gives none) → [1, n, D]. Which of the three it is
follows from a trial with zeros.
"""

from __future__ import annotations

import json
import os
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from tailgate.errors import UserError
from tailgate.frames import SensorFrame, host
from tailgate.packages import missing
from tailgate.validate.backbones.protocol import Backbone
from tailgate.validate.crops import Crop

Run = Callable[[np.ndarray], np.ndarray]
Shape = tuple[int | None, ...]
TRIALS = {"image": (1, 3, 64, 64), "cloud": (1, 64, 3), "lit cloud": (1, 64, 4)}
"""Kind of model -> shape of the zeros it is tried with where the file states no sizes."""
CONTRACT = "an image [1, 3, H, W] to [1, D, h, w] or a cloud [1, n, 3] or [1, n, 4] to [1, n, D]"


class ModelBackbone(Backbone):
    """A model as a backbone.

    Args:
        name: what a budget calls it.
        run: float32 array in, array out; raises what it likes.
        stated: the input's shape as the model states it, None for a free size; None where it states nothing.
        place: file for messages.

    Raises:
        UserError: neither an image nor a cloud gives output of the right shape.
    """

    def __init__(self, name: str, run: Run, stated: Shape | None = None, place: Path | None = None):
        self.name, self._run, self._place = name, run, place
        self.kind = self._tried(stated)

    def map(self, sensor: SensorFrame) -> np.ndarray | None:
        """Features of a camera's image [h, w, D] for a model of images."""
        if self.kind != "image" or sensor.kind != "camera":
            return None
        rgb = host(sensor.channel("rgb"))[..., :3].astype(np.float32) / np.float32(255.0)
        found = self._features(np.ascontiguousarray(rgb.transpose(2, 0, 1)[None]))
        return np.ascontiguousarray(found[0].transpose(1, 2, 0))

    def points(self, crop: Crop) -> np.ndarray:
        """Features of each point [n, D] from a model of clouds; of images, local geometry for crops that no image shows."""
        if self.kind == "image":
            return super().points(crop)
        cloud = crop.points
        if self.kind == "lit cloud":
            lit = np.zeros(len(cloud), np.float32) if crop.intensity is None else crop.intensity
            cloud = np.concatenate([cloud, lit[:, None]], axis=1)
        return self._features(np.ascontiguousarray(cloud[None], dtype=np.float32))[0]

    def _features(self, given: np.ndarray) -> np.ndarray:
        try:
            found = np.asarray(self._run(given), dtype=np.float32)
        except Exception as error:
            raise UserError(f"backbone failed on an input of shape {list(given.shape)}: {_first_line(error)}", self._place) from None
        if not _fits(given.shape, found.shape):
            raise UserError(f"backbone must map {CONTRACT}, got {list(given.shape)} to {list(found.shape)}", self._place)
        if not np.isfinite(found).all():
            raise UserError(f"backbone '{self.name}' must give finite features, got NaN or infinity", self._place)
        return found

    def _tried(self, stated: Shape | None) -> str:
        complaint = None
        for kind, trial in TRIALS.items():
            if stated is not None:
                if len(stated) != len(trial) or any(s is not None and s != t for s, t in zip(stated, trial, strict=True) if t in (3, 4)):
                    continue
                trial = tuple(t if s is None else s for s, t in zip(stated, trial, strict=True))
            try:
                self._features(np.zeros(trial, np.float32))
                return kind
            except UserError as error:
                complaint = complaint or error
        raise complaint or UserError(f"backbone must map {CONTRACT}; its input has the shape {list(stated or ())}", self._place)


def open_model_file(path: Path) -> ModelBackbone:
    """The backbone in a file.

    Raises:
        UserError: a missing library, a file that does not load, or a model of another contract.
    """
    load = {".pt": _torchscript, ".pt2": _exported, ".onnx": _onnx}[path.suffix]
    try:
        run, stated = load(path)
    except ImportError as error:
        raise UserError(missing("onnxruntime" if path.suffix == ".onnx" else "torch", error).message, path) from None
    except Exception as error:
        raise UserError(f"does not load as {_FORMAT[path.suffix]}: {_first_line(error)}", path) from None
    return ModelBackbone(path.name, run, stated, path)


_FORMAT = {".pt": "TorchScript", ".pt2": "a torch.export archive", ".onnx": "an ONNX model"}


def torch_run(model: Callable) -> Run:
    """A function of arrays from a torch module in evaluation mode."""
    import torch

    def run(given: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return model(torch.from_numpy(given)).numpy()

    return run


def _torchscript(path: Path) -> tuple[Run, Shape | None]:
    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return torch_run(torch.jit.load(str(path), map_location="cpu").eval()), None


def _exported(path: Path) -> tuple[Run, Shape | None]:
    import torch

    _refuse_pickles(path)
    with mock.patch.dict(os.environ, {"TORCH_FORCE_WEIGHTS_ONLY_LOAD": "1"}):
        program = torch.export.load(str(path))
    name = program.graph_signature.user_inputs[0]
    value = next(node.meta["val"] for node in program.graph.nodes if node.name == name)
    return torch_run(program.module()), tuple(s if isinstance(s, int) else None for s in value.shape)


def _refuse_pickles(path: Path) -> None:
    """An archive whose parts would be unpickled by ``torch.export.load`` could run any code: refuse it."""
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            if name.endswith("config.json") and _asks_for_pickle(json.loads(archive.read(name))):
                raise ValueError(f"it holds pickled objects ({name}), which are not read")


def _asks_for_pickle(config: Any) -> bool:
    if isinstance(config, dict):
        return bool(config.get("use_pickle")) or any(map(_asks_for_pickle, config.values()))
    return isinstance(config, list) and any(map(_asks_for_pickle, config))


def _onnx(path: Path) -> tuple[Run, Shape | None]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    entry = session.get_inputs()[0]
    stated = tuple(s if isinstance(s, int) else None for s in entry.shape)
    return lambda given: session.run(None, {entry.name: given})[0], stated


def _fits(given: tuple[int, ...], found: tuple[int, ...]) -> bool:
    """Whether the output of an input of this shape has a shape of the contract."""
    if len(found) != len(given) or found[0] != 1 or 0 in found:
        return False
    return found[2] <= given[2] and found[3] <= given[3] if len(given) == 4 else found[1] == given[1]


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]
