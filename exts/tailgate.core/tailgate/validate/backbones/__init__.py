"""Backbones: frozen feature extractors behind one small protocol. ``open_backbone`` turns what a budget names into one."""

from tailgate.validate.backbones.protocol import Backbone, backbones, file_of, locate, open_backbone

__all__ = ["Backbone", "backbones", "file_of", "locate", "open_backbone"]
