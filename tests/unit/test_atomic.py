"""Files and folders appear whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from neuropipe.atomic import atomic_file, atomic_folder


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
