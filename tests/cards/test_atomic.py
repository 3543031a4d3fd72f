"""Files are replaced whole: whoever reads sees the old content or the new."""

import os

import pytest

from bespoke_jax.cards import atomic


def test_an_error_in_the_block_leaves_the_old_file_and_nothing_else(tmp_path):
    path = atomic.write_text(tmp_path / "a", "old")
    with pytest.raises(KeyboardInterrupt), atomic.replacing(path) as file:
        file.write(b"half of the new")
        raise KeyboardInterrupt
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["a"]


def test_text_that_cannot_be_encoded_leaves_the_old_file(tmp_path):
    path = atomic.write_text(tmp_path / "a", "old")
    with pytest.raises(UnicodeEncodeError):
        atomic.write_text(path, "\ud800")
    assert path.read_text() == "old" and os.listdir(tmp_path) == ["a"]


def test_folders_are_made_and_a_link_keeps_its_target(tmp_path):
    atomic.write_text(tmp_path / "x" / "y" / "a", "größer")
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "x" / "y" / "a")
    atomic.write_text(link, "new")
    assert link.is_symlink()
    assert (tmp_path / "x" / "y" / "a").read_bytes() == b"new"
