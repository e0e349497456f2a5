"""Fingerprints move with the code that a module runs, and with nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from neuropipe import fingerprint as module
from neuropipe.fingerprint import fingerprint, imported_modules, sha256_path


@pytest.fixture
def package(tmp_path: Path) -> Path:
    root = tmp_path / "pkg"
    (root / "part").mkdir(parents=True)
    (root / "__init__.py").write_text("")
    (root / "part" / "__init__.py").write_text('"""Part."""\n')
    (root / "part" / "a.py").write_text("from pkg.base import f\n\ndef g():\n    return f()\n")
    (root / "base.py").write_text("def f():\n    return 1\n")
    (root / "other.py").write_text("def h():\n    return 2\n")
    return root


def taken(package: Path) -> str:
    module._parse.cache_clear()
    return fingerprint("part.a", package=package)


def test_closure(package: Path) -> None:
    assert imported_modules(["part.a"], package) == {"part", "part.a", "base"}


def test_imports_inside_functions_count(package: Path) -> None:
    (package / "base.py").write_text("def f():\n    from pkg import other\n    return other.h()\n")
    module._parse.cache_clear()
    assert "other" in imported_modules(["part.a"], package)


@pytest.mark.parametrize(
    ("file", "text", "moves"),
    [
        ("part/a.py", "from pkg.base import f\n\ndef g():\n    return f() + 1\n", True),
        ("base.py", "def f():\n    return 3\n", True),
        ("part/style.css", "p {}", True),
        ("part/templates/page.j2", "<p>hello</p>", True),
        ("other.py", "def h():\n    return 5\n", False),
        ("base.py", '# why\ndef f():\n    """Say one."""\n\n    return 1\n', False),
    ],
)
def test_moves_with_code_alone(package: Path, file: str, text: str, moves: bool) -> None:
    before = taken(package)
    (package / file).parent.mkdir(exist_ok=True)
    (package / file).write_text(text)
    assert (taken(package) != before) == moves


def test_unknown_module(package: Path) -> None:
    with pytest.raises(FileNotFoundError):
        fingerprint("nothing", package=package)


def test_every_part_of_the_workflow_has_one() -> None:
    from neuropipe.analyses import PARTS, reader_modules, simulator_modules

    groups = [part.modules for part in PARTS.values()]
    groups += [reader_modules(m) for m in ("fmri", "calcium", "spikes", "images")]
    kinds = ("fmri", "calcium", "spikes", "vision", "representations")
    groups += [simulator_modules(kind) for kind in kinds]
    prints = [fingerprint(*modules) for modules in groups]
    assert len(set(prints)) == len(groups)


def test_analyses_do_not_share_code_with_the_report() -> None:
    assert not any(m.startswith("report") for m in imported_modules(["connectivity.commands"]))


def test_folder_hash_sees_names_and_bytes(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("1")
    first = sha256_path(tmp_path)
    (tmp_path / "a").rename(tmp_path / "b")
    second = sha256_path(tmp_path)
    (tmp_path / "b").write_text("2")
    assert len({first, second, sha256_path(tmp_path)}) == 3
