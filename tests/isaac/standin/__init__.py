"""A strict stand-in for Isaac Sim 5.1 and 6.0, for tests without one. See ``../README.md``."""

from . import everything as _everything  # noqa: F401  (behaviours register themselves)
from .checks import NoBehaviour, SignatureError
from .faults import FAULTS
from .sim import Sim, standin

__all__ = ["FAULTS", "NoBehaviour", "SignatureError", "Sim", "standin"]
