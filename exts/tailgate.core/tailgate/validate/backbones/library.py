"""Backbones of timm and torchvision by name: image models whose weights lie on this machine already. Nothing downloads."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tailgate.errors import UserError, nearest
from tailgate.validate.backbones.files import ModelBackbone, torch_run
from tailgate.validate.backbones.protocol import KEY

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Channel mean and spread of ImageNet, which both libraries' models expect to be taken out of sRGB 0..1."""


def open_library_model(library: str, model: str, weights: Path | None) -> ModelBackbone:
    """The last feature map of a model as a backbone of images.

    Args:
        library: "timm" or "torchvision".
        model: the library's name for it.
        weights: a state dictionary (.pth, .pt, .safetensors for timm); None takes the library's local cache.

    Raises:
        UserError: a missing library, an unknown model, or weights that are not on this machine.
    """
    try:
        import torch

        build = {"timm": _timm, "torchvision": _torchvision}[library]
        network = build(model, weights)
    except ImportError as error:
        raise UserError(f"'{library}:{model}' needs {library} and torch ({error}): pip install torch {library}", KEY) from None
    mean, std = (torch.tensor(v).reshape(1, 3, 1, 1) for v in (MEAN, STD))
    run = torch_run(lambda image: network((image - mean) / std))
    return ModelBackbone(f"{library}:{model}", lambda given: np.asarray(run(given)))


def _absent(library: str, model: str, weights: Path | None, error: object) -> UserError:
    place = f"the file {weights}" if weights else f"{library}'s local cache"
    message = f"the weights of '{library}:{model}' must lie in {place}, nothing is downloaded; name a file with {library}:{model}=<file> ({error})"
    return UserError(message, KEY)


def _timm(model: str, weights: Path | None) -> Callable[[Any], Any]:
    os.environ["HF_HUB_OFFLINE"] = "1"
    import timm

    if model not in timm.list_models():
        raise UserError(f"timm must know the model{nearest(model, timm.list_models())}, got '{model}'", KEY)
    try:
        network = timm.create_model(model, pretrained=weights is None, checkpoint_path=str(weights or "")).eval()
    except Exception as error:
        raise _absent("timm", model, weights, type(error).__name__) from None
    return network.forward_features


def _torchvision(model: str, weights: Path | None) -> Callable[[Any], Any]:
    import torch
    from torchvision import models

    if model not in models.list_models():
        raise UserError(f"torchvision must know the model{nearest(model, models.list_models())}, got '{model}'", KEY)
    cached = Path(torch.hub.get_dir(), "checkpoints", Path(models.get_model_weights(model).DEFAULT.url).name)
    network = models.get_model(model)
    try:
        network.load_state_dict(torch.load(weights or cached, map_location="cpu", weights_only=True))
    except Exception as error:
        raise _absent("torchvision", model, weights, type(error).__name__) from None
    return torch.nn.Sequential(*list(network.eval().children())[:-2])
