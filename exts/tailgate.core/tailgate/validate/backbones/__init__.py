"""Backbones: frozen feature extractors behind one small protocol. ``open_backbone`` turns what a budget names into one."""

from tailgate.validate.backbones.protocol import Backbone, backbones, locate, open_backbone

__all__ = ["Backbone", "backbones", "locate", "open_backbone"]
