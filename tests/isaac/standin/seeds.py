"""Global seed and random generators of Replicator."""

from __future__ import annotations

import numpy as np

from .checks import behaves
from .sim import Sim, sim


class Seeds:
    """The global seed."""

    def __init__(self, owner: Sim):
        self.value = 0


@behaves("omni.replicator.core.set_global_seed")
def set_global_seed(seed):
    sim().part(Seeds).value = int(seed)


@behaves("omni.replicator.core.get_global_seed")
def get_global_seed():
    return sim().part(Seeds).value


@behaves("omni.replicator.core.rng.ReplicatorRNG")
class ReplicatorRNG:
    """A numpy generator that begins at the global seed."""

    def __init__(self, seed=None, node=None):
        self._seed = sim().part(Seeds).value if seed is None else seed
        self._generator = np.random.default_rng(self._seed)

    @property
    def generator(self):
        return self._generator
