"""Hashes of code and files, so that a change reruns what depends on it and nothing else.

Snakemake does not see an edit in an imported module. Each rule therefore carries, among its
parameters, the fingerprint of the modules it runs: a hash over the syntax trees of those modules,
of every `neuropipe` module they import, directly or not, and over the templates beside them.
Comments, docstrings and layout do not count.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterable
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).parent
_CHUNK = 1 << 20
_TEMPLATES = {".css", ".html", ".j2", ".js", ".json"}


def fingerprint(*modules: str, package: Path = PACKAGE) -> str:
    """Hash the code of modules and of all they import from the same package.

    Parameters
    ----------
    *modules : str
        Dotted names below the package, such as ``"quality.commands"``.
    package : Path
        Folder of the package; the module names start at its own name.

    Returns
    -------
    str
        Sixteen hexadecimal digits.

    Raises
    ------
    FileNotFoundError
        If a named module does not exist.
    """
    digest = hashlib.sha256()
    folders: set[Path] = set()
    for name in sorted(imported_modules(modules, package)):
        path = _module_path(name, package)
        tree, _ = _parse(path, package.name)
        digest.update(f"{name}\0{tree}\0".encode())
        folders.add(path.parent)
    beside = (t for f in folders for place in (f, f / "templates") for t in place.glob("*.*"))
    for template in sorted(t for t in beside if t.suffix in _TEMPLATES):
        digest.update(f"{template.name}\0{sha256_file(template)}\0".encode())
    return digest.hexdigest()[:16]


def imported_modules(modules: Iterable[str], package: Path = PACKAGE) -> set[str]:
    """Name the given modules and every module of the package that they import, directly or not."""
    seen: set[str] = set()
    queue = list(modules)
    while queue:
        name = queue.pop()
        if name in seen:
            continue
        seen.add(name)
        _, imports = _parse(_module_path(name, package), package.name)
        queue.extend(found for found in imports if _exists(found, package))
        queue.extend(parent for parent in _parents(name) if _exists(parent, package))
    return seen


def sha256_file(path: Path) -> str:
    """Hash a file's bytes in constant memory."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def sha256_tree(folder: Path) -> str:
    """Hash a folder: the names and bytes of all files below it, in sorted order of their paths."""
    digest = hashlib.sha256()
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        digest.update(f"{path.relative_to(folder).as_posix()}\0{sha256_file(path)}\n".encode())
    return digest.hexdigest()


def sha256_path(path: Path) -> str:
    """Hash a file or a whole folder."""
    return sha256_tree(path) if path.is_dir() else sha256_file(path)


def _parents(name: str) -> list[str]:
    parts = name.split(".")
    return [".".join(parts[:i]) for i in range(1, len(parts))]


def _module_path(name: str, package: Path) -> Path:
    base = package.joinpath(*name.split("."))
    return base / "__init__.py" if base.is_dir() else base.with_suffix(".py")


def _exists(name: str, package: Path) -> bool:
    return _module_path(name, package).is_file()


@cache
def _parse(path: Path, package: str) -> tuple[str, frozenset[str]]:
    """Dump a module's syntax without docstrings, and list what it imports from the package."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    imports: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imports.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            imports.add(node.module)
            imports.update(f"{node.module}.{alias.name}" for alias in node.names)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            _drop_docstring(node)
    prefix = package + "."
    below = frozenset(name.removeprefix(prefix) for name in imports if name.startswith(prefix))
    return ast.dump(tree), below


def _drop_docstring(
    node: ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef,
) -> None:
    if ast.get_docstring(node, clean=False) is not None:
        node.body = node.body[1:]
