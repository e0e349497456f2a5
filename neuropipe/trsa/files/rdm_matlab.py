"""Structures, cells, text and numbers of MATLAB 5 to 7 files, read with every length checked.

RDMs come in structure arrays (fields RDM, name, color). A file from somebody else is hostile until
read: this reader is plain Python, knows no objects or functions and refuses what does not fit.

Notes
-----
"MAT-File Format", The MathWorks, chapter 1: elements are a tag (type, number of bytes) and data,
padded to 8 bytes; a matrix holds flags, dimensions, name and then its parts.
"""

from __future__ import annotations

import math
import struct
import zlib
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from neuropipe.errors import InputError
from neuropipe.ingest.matlab import mat_shapes, read_mat

__all__ = ["Structure", "read_structures"]

_HEADER = 128
_MATRIX, _COMPRESSED = 14, 15
_CELL, _STRUCT, _TEXT = 1, 2, 4
_NUMBERS = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8",
            13: "u8"}  # fmt: skip
_LETTERS = {1: "utf-8", 2: "utf-8", 4: "utf-16", 16: "utf-8", 17: "utf-16"}
_CLASSES = {6: "f8", 7: "f4", 8: "i1", 9: "u1", 10: "i2", 11: "u2", 12: "i4", 13: "u4", 14: "i8",
            15: "u8"}  # fmt: skip
_COMPLEX = 0x0800
_MOST_BYTES = 1 << 30  # of one variable, unpacked
_DEEPEST = 16
_REMEDY = "save it again (MATLAB: save -v7)"


@dataclass
class Structure:
    """A structure array: its shape and, in MATLAB's order (first index fastest), its elements."""

    shape: tuple[int, ...]
    elements: list[dict[str, object]] = field(default_factory=list)


def read_structures(path: Path) -> dict[str, object]:
    """Read the variables of a file.

    Parameters
    ----------
    path : Path
        Of MATLAB 4 to 7; files of MATLAB 7.3 are HDF5 and refused.

    Returns
    -------
    dict
        Variables by name: real arrays of numbers, `Structure`, lists (cells, first index fastest)
        or text. Other classes are left out.

    Raises
    ------
    InputError
        If the file cannot be read, is damaged, or is none of these.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}", "a MATLAB file", "check the path") from error
    if b"\x89HDF\r\n\x1a\n" in (data[:8], data[512:520]):
        raise InputError(f"{path} is a file of MATLAB 7.3", "MATLAB 5 to 7", _REMEDY)
    if len(data) >= 4 and 0 in data[:4]:  # MATLAB 4: no header text
        return {name: read_mat(path, name) for name in mat_shapes(path)}
    try:
        return _variables(data)
    except (ValueError, struct.error, zlib.error) as error:
        raise InputError(f"{path}: {error}", "a whole file of MATLAB arrays", _REMEDY) from error


def _variables(data: bytes) -> dict[str, object]:
    if len(data) < _HEADER or data[126:128] not in (b"IM", b"MI"):
        raise ValueError("no MATLAB header")
    order = "<" if data[126:128] == b"IM" else ">"
    found: dict[str, object] = {}
    at = _HEADER
    while at + 8 <= len(data):
        kind, size = struct.unpack(f"{order}II", data[at : at + 8])
        body = data[at + 8 : at + 8 + size]
        if len(body) < size:
            raise ValueError(f"an element of {size} bytes where {len(body)} are left")
        at += 8 + (size if kind == _COMPRESSED else -(-size // 8) * 8)
        if kind == _COMPRESSED:
            # A variable whose data were cut off would unpack to a part: its tag tells.
            whole = zlib.decompressobj().decompress(body, _MOST_BYTES)
            kind, size = struct.unpack(f"{order}II", whole[:8])
            body = whole[8 : 8 + size]
            if len(body) < size:
                raise ValueError(f"a variable of {size} bytes of which {len(body)} unpack")
        if kind == _MATRIX:
            name, value = _matrix(body, order, 0)
            if name and value is not None:
                found[name] = value
    return found


def _matrix(body: bytes, order: str, depth: int) -> tuple[str, object]:
    """Name and value of a matrix element; None for classes that are not read."""
    if depth > _DEEPEST:
        raise ValueError(f"structures nested deeper than {_DEEPEST}")
    if not body:
        return "", np.zeros((0, 0))
    (_, flags), at = _part(body, 0, order)
    (_, dims), at = _part(body, at, order)
    (_, name), at = _part(body, at, order)
    (word,) = struct.unpack(f"{order}I", flags[:4])
    kind = word & 0xFF
    shape = tuple(int(n) for n in np.frombuffer(dims, f"{order}i4"))
    if len(shape) < 2 or min(shape) < 0:
        raise ValueError(f"an array of dimensions {shape}")
    value: object = None
    if kind in _CLASSES and not word & _COMPLEX:
        value = _numbers(body, at, order, shape, _CLASSES[kind])
    elif kind == _TEXT:
        (coding, letters), _ = _part(body, at, order)
        if coding in _LETTERS:
            codec = _LETTERS[coding]
            ordered = codec if codec == "utf-8" else f"{codec}-{'le' if order == '<' else 'be'}"
            value = letters.decode(ordered, "replace")
    elif kind == _CELL:
        value = _matrices(body, at, order, math.prod(shape), depth)
    elif kind == _STRUCT:
        value = _structure(body, at, order, shape, depth)
    return name.decode("utf-8", "replace"), value


def _numbers(body: bytes, at: int, order: str, shape: tuple[int, ...], number: str) -> np.ndarray:
    (kind, values), _ = _part(body, at, order)
    if kind not in _NUMBERS:
        raise ValueError(f"values of type {kind}")
    stored = np.frombuffer(values, f"{order}{_NUMBERS[kind]}")
    if stored.size != math.prod(shape):
        raise ValueError(f"{stored.size} values for dimensions {shape}")
    return stored.astype(number).reshape(shape, order="F")


def _structure(body: bytes, at: int, order: str, shape: tuple[int, ...], depth: int) -> Structure:
    (_, length), at = _part(body, at, order)
    (_, letters), at = _part(body, at, order)
    (width,) = struct.unpack(f"{order}i", length[:4])
    if width < 1:
        raise ValueError(f"field names of {width} letters")
    names = [
        letters[k : k + width].split(b"\0")[0].decode("utf-8", "replace")
        for k in range(0, len(letters), width)
    ]
    values = _matrices(body, at, order, math.prod(shape) * len(names), depth)
    rows = [values[k : k + len(names)] for k in range(0, len(values), max(1, len(names)))]
    return Structure(shape, [dict(zip(names, row, strict=True)) for row in rows])


def _matrices(body: bytes, at: int, order: str, count: int, depth: int) -> list[object]:
    if count * 8 > len(body):
        raise ValueError(f"{count} parts in {len(body)} bytes")
    found = []
    for _ in range(count):
        (kind, part), at = _part(body, at, order)
        if kind != _MATRIX:
            raise ValueError(f"a part of type {kind} where a matrix belongs")
        found.append(_matrix(part, order, depth + 1)[1])
    return found


def _part(data: bytes, at: int, order: str) -> tuple[tuple[int, bytes], int]:
    """Type and bytes of the element at a place, and the place of the next."""
    kind, size = struct.unpack(f"{order}II", data[at : at + 8])
    if kind >> 16:  # up to four bytes stand in the tag itself
        kind, size, begin, end = kind & 0xFFFF, kind >> 16, at + 4, at + 8
        if size > 4:
            raise ValueError(f"a short element of {size} bytes")
    else:
        begin, end = at + 8, at + 8 + -(-size // 8) * 8
    if begin + size > len(data):
        raise ValueError(f"a part of {size} bytes where {max(0, len(data) - begin)} are left")
    return (kind, data[begin : begin + size]), end
