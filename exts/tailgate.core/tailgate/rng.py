"""Counter-based random streams: every draw is a pure function of its address, never of what was drawn before."""

from __future__ import annotations

import hashlib

import numpy as np


def stream_key(*address: str | int) -> int:
    """Hash an address to a 128-bit key. The type of each part counts: 1 and "1" differ."""
    text = "\x1f".join(f"{type(part).__name__[0]}{part}" for part in address)
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=16).digest(), "little")


def rng(
    run_seed: int, scenario: str, round: int, index: int, attempt: int, component: str, object: str | int = ""
) -> np.random.Generator:
    """Return the generator of one address (Philox 4x64, Salmon et al. 2011).

    Args:
        run_seed: the budget's seed.
        scenario: scenario name.
        round: round number, from 0.
        index: clip index in the run, from 0.
        attempt: 0 for the first draw of a clip, +1 after each off-target one.
        component: the stage or randomizer that draws.
        object: the object or sub-stream within the component.

    Returns:
        A generator independent of that of any other address, so that adding a component moves no other draw.
    """
    return np.random.Generator(np.random.Philox(key=stream_key(run_seed, scenario, round, index, attempt, component, object)))


def kernel_seed(*address: str | int) -> int:
    """Return a 31-bit seed for ``wp.rand_init`` from an address."""
    return stream_key(*address) & 0x7FFFFFFF
