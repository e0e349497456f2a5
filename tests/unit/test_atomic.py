"""Files and folders appear whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from neuropipe.atomic import atomic_file, atomic_folder
from neuropipe.errors import InputError


def test_file_appears_on_success(tmp_path: Path) -> None:
    with atomic_file(tmp_path / "new" / "a.txt") as path:
        path.write_text("whole")
        assert not (tmp_path / "new" / "a.txt").exists()
    assert (tmp_path / "new" / "a.txt").read_text() == "whole"
    assert len(list((tmp_path / "new").iterdir())) == 1


def test_a_failure_leaves_the_older_file(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("old")

    def fail() -> None:
        with atomic_file(tmp_path / "a.txt") as path:
            path.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert [p.read_text() for p in tmp_path.iterdir()] == ["old"]


def test_a_folder_of_something_else_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    with atomic_folder(tmp_path / "home", "mark") as path:  # an empty one may be
        (path / "mark").write_text("1")
    with atomic_folder(tmp_path / "home", "mark") as path:
        (path / "mark").write_text("2")
    assert (tmp_path / "home" / "mark").read_text() == "2"
    (tmp_path / "home" / "mark").rename(tmp_path / "home" / "thesis")

    def slip() -> None:
        with atomic_folder(tmp_path / "home", "mark"):
            raise AssertionError

    with pytest.raises(InputError, match="home is a folder with other files"):
        slip()
    assert (tmp_path / "home" / "thesis").read_text() == "2"
    assert [p.name for p in tmp_path.iterdir()] == ["home"]


def test_a_failure_leaves_the_older_folder(tmp_path: Path) -> None:
    with atomic_folder(tmp_path / "out") as path:
        (path / "a").write_text("old")

    def fail() -> None:
        with atomic_folder(tmp_path / "out") as path:
            (path / "b").write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert [p.name for p in tmp_path.rglob("*")] == ["out", "a"]


def test_what_a_killed_writer_left_is_removed(tmp_path: Path) -> None:
    left = [
        atomic_file(tmp_path / "a.nc"),
        atomic_folder(tmp_path / "a"),
        atomic_folder(tmp_path / "b"),
    ]
    names = [writer.__enter__().name for writer in left]  # killed here: never left
    with atomic_file(tmp_path / "a.nc") as path:
        path.write_text("whole")
    with atomic_folder(tmp_path / "a"):
        pass
    assert {p.name for p in tmp_path.iterdir()} == {"a.nc", "a", names[2]}
