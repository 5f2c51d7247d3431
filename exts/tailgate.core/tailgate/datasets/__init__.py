"""Frames in, data sets out: the frame store, one writer per public format, the manifest, and mixes of real and synthetic data."""
