"""Tailgate's window in Isaac Sim: a view of runtime events. ``state``, ``choices`` and ``tasks`` need no Kit; the rest is imported inside it."""

import sys

if "omni.ext" in sys.modules:  # Kit, which looks here for the extension's class
    from tailgate_ui.extension import TailgateWindowExtension as TailgateWindowExtension
