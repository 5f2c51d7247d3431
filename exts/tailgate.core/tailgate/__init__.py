"""Tailgate: targeted synthetic training data, measured against real sensors."""

__version__ = "0.1.0"
