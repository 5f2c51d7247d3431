"""Arrays of every kind come back from a bundle as they were, and own their memory."""

import numpy as np
import pytest
from tailgate.errors import UserError
from tailgate.validate.bundle import load_arrays, save_arrays


def test_a_bundle_gives_back_what_it_was_given(tmp_path):
    given = {
        "odd": np.arange(3, dtype=np.uint8),
        "floats": np.linspace(0, 1, 6).reshape(2, 3),
        "turned": np.arange(6, dtype=np.float32).reshape(2, 3).T,
        "text": np.array(["a", "longer"]),
        "nobody": np.array([], dtype=np.str_),
        "number": np.array(7),
        "empty": np.zeros((0, 256, 3), np.float32),
    }
    save_arrays(tmp_path / "one.npz", given)
    held = load_arrays(tmp_path / "one.npz")
    assert [p.name for p in tmp_path.iterdir()] == ["one.npz"] and list(held) == list(given)
    for name, array in given.items():
        assert held[name].dtype == array.dtype and held[name].shape == array.shape and np.array_equal(held[name], array)
        assert held[name].base is None and held[name].flags.aligned


def test_a_file_of_another_version_is_named(tmp_path):
    np.savez(tmp_path / "old.npz", blocks=np.array(2))
    with pytest.raises(UserError, match="another version of tailgate wrote this file") as error:
        load_arrays(tmp_path / "old.npz")
    assert "old.npz" in str(error.value)
