"""A file is the old one or the new one, whatever stops the writing."""

import stat

import pytest
from tailgate.atomic import replacing, write_atomically


def test_atomic_write_leaves_no_half_file(tmp_path):
    write_atomically(tmp_path / "s.json", "one")
    write_atomically(tmp_path / "s.json", "two")
    assert [p.name for p in tmp_path.iterdir()] == ["s.json"] and (tmp_path / "s.json").read_text() == "two"


def test_a_failure_leaves_the_old_file_alone(tmp_path):
    write_atomically(tmp_path / "s.json", "one")
    with pytest.raises(UnicodeEncodeError):
        write_atomically(tmp_path / "s.json", "\ud800")
    with pytest.raises(RuntimeError), replacing(tmp_path / "s.json") as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert [p.name for p in tmp_path.iterdir()] == ["s.json"] and (tmp_path / "s.json").read_text() == "one"


def test_permissions_are_those_of_any_new_file(tmp_path):
    (tmp_path / "plain").touch()
    write_atomically(tmp_path / "s.json", "one")
    assert stat.S_IMODE((tmp_path / "s.json").stat().st_mode) == stat.S_IMODE((tmp_path / "plain").stat().st_mode)
