"""Structured domain randomization: scenarios opened, samples drawn, samples applied, targets verified."""
