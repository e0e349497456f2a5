"""Numeric arrays of MATLAB 5 to 7 files (``.mat``), read with every length checked.

scipy's reader is compiled and trusts the lengths and type numbers inside the file: a few damaged
bytes end the process by a segmentation fault. Recordings need numeric arrays only, which take few
lines to read safely. Files of MATLAB 4 go to scipy, whose reader of those is plain Python; those of
MATLAB 7.3 are HDF5 and read as such.

Notes
-----
"MAT-File Format", The MathWorks, chapter 1: level 5 files are a header of 128 bytes and data
elements, each a tag (type, number of bytes) and its data, padded to 8 bytes.
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from neuropipe.errors import InputError

_HEADER = 128
_MATRIX, _COMPRESSED = 14, 15
_LOGICAL, _COMPLEX = 0x0200, 0x0800
_STORED = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8",
           13: "u8"}  # fmt: skip
_CLASSES = {6: "f8", 7: "f4", 8: "i1", 9: "u1", 10: "i2", 11: "u2", 12: "i4", 13: "u4", 14: "i8",
            15: "u8"}  # fmt: skip
_MOST_HEAD = 65_536  # bytes of flags, dimensions and name
_MOST_BYTES = 4 << 30  # of one array, unpacked
_COMPRESSION = 200  # no gigabyte of measured numbers shrinks further
_LEVEL_4_NUMBERS = ("double", "single", "int32", "int16", "uint16", "uint8")
_REMEDY = "save it again"


@dataclass(frozen=True)
class _Array:
    """A numeric array: its name and form, and where its element stands in the file."""

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype
    start: int
    n_bytes: int
    packed: bool
    order: str


def mat_shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """List the real numeric arrays of a file; text, cells, structures and the like are left out.

    Parameters
    ----------
    path : Path
        Of MATLAB 4 to 7, not 7.3.

    Returns
    -------
    dict of str to tuple of int
        Shape by name.

    Raises
    ------
    InputError
        If the file is damaged or none of MATLAB.
    """
    if _is_level_4(path):
        from scipy.io import whosmat

        try:
            listed = whosmat(path)
        except Exception as error:  # its reader checks nothing and stumbles in many ways
            raise InputError(f"{path}: {error}", "a MATLAB file", _REMEDY) from error
        return {name: shape for name, shape, kind in listed if kind in _LEVEL_4_NUMBERS}
    return {name: array.shape for name, array in _arrays(path).items()}


def read_mat(path: Path, name: str) -> np.ndarray:
    """Read one array.

    Parameters
    ----------
    path : Path
    name : str
        One of `mat_shapes`.

    Returns
    -------
    numpy.ndarray
        As MATLAB shows it.

    Raises
    ------
    InputError
        If its data are cut short, of another size than its dimensions, or declare far more than
        the file can hold.
    """
    if _is_level_4(path):
        from scipy.io import loadmat

        try:
            return np.asarray(loadmat(path, variable_names=[name])[name])
        except Exception as error:
            raise InputError(f"{path}: {name}: {error}", "a MATLAB file", _REMEDY) from error
    array = _arrays(path)[name]
    size = math.prod(array.shape) * array.dtype.itemsize
    if size > _MOST_BYTES or (size > 1 << 30 and size > _COMPRESSION * array.n_bytes):
        raise InputError(
            f"{path}: {name} declares {size / 2**30:.3g} GiB in {array.n_bytes} bytes",
            "the data of its dimensions, at most 4 GiB",
            _REMEDY,
        )
    with path.open("rb") as stream:
        stream.seek(array.start)
        body = stream.read(array.n_bytes)
    try:
        if array.packed:
            # Values may be stored narrower than their class, not wider; flags and name come first.
            body = _unpacked(body, size + _MOST_HEAD)[8:]
        return _values(body, array)
    except (ValueError, struct.error, zlib.error) as error:
        raise InputError(
            f"{path}: {name}: {error}", "a whole file of MATLAB arrays", _REMEDY
        ) from error


def _is_level_4(path: Path) -> bool:
    """Tell a file of MATLAB 4, which has a zero among its first bytes in place of a header text."""
    with path.open("rb") as stream:
        return 0 in stream.read(4)


def _arrays(path: Path) -> dict[str, _Array]:
    data = path.read_bytes()
    try:
        found = [array for array in _elements(data) if array is not None]
    except (ValueError, struct.error, zlib.error) as error:
        raise InputError(f"{path}: {error}", "a whole file of MATLAB arrays", _REMEDY) from error
    return {array.name: array for array in found}


def _elements(data: bytes) -> Iterator[_Array | None]:
    if len(data) < _HEADER or data[126:128] not in (b"IM", b"MI"):
        raise ValueError("no MATLAB header")
    order = "<" if data[126:128] == b"IM" else ">"
    at = _HEADER
    while at + 8 <= len(data):
        kind, size = struct.unpack(f"{order}II", data[at : at + 8])
        at += 8
        if size > len(data) - at:
            raise ValueError(f"an element of {size} bytes where {len(data) - at} are left")
        if kind == _COMPRESSED:
            head = _unpacked(data[at : at + size], _MOST_HEAD)
            if len(head) >= 8 and struct.unpack(f"{order}I", head[:4])[0] == _MATRIX:
                yield _listed(head[8:], at, size, order, packed=True)
        elif kind == _MATRIX:
            yield _listed(data[at : at + min(size, _MOST_HEAD)], at, size, order, packed=False)
        # Compressed elements alone are not padded.
        at += size if kind == _COMPRESSED else -(-size // 8) * 8


def _unpacked(data: bytes, most: int) -> bytes:
    return zlib.decompressobj().decompress(data, most)


def _listed(head: bytes, start: int, n_bytes: int, order: str, *, packed: bool) -> _Array | None:
    """Name and form of a matrix; None where it is no real numeric array."""
    flags, at = _part(head, 0, order)
    (word,) = struct.unpack(f"{order}I", flags[1][:4])
    kind = word & 0xFF
    if kind not in _CLASSES or word & _COMPLEX:
        return None
    shape, at = _part(head, at, order)
    name, _ = _part(head, at, order)
    dims = tuple(int(n) for n in np.frombuffer(shape[1], f"{order}i4"))
    if len(dims) < 2 or min(dims) < 0:
        raise ValueError(f"an array of dimensions {dims}")
    dtype = np.dtype(bool if word & _LOGICAL else _CLASSES[kind])
    return _Array(name[1].decode("utf-8"), dims, dtype, start, n_bytes, packed, order)


def _values(body: bytes, array: _Array) -> np.ndarray:
    at = 0
    for _ in range(3):  # flags, dimensions, name
        _, at = _part(body, at, array.order)
    (kind, values), _ = _part(body, at, array.order)
    if kind not in _STORED:
        raise ValueError(f"values of type {kind}")
    stored = np.frombuffer(values, f"{array.order}{_STORED[kind]}")
    if stored.size != math.prod(array.shape):
        raise ValueError(f"{stored.size} values for dimensions {array.shape}")
    return stored.astype(array.dtype).reshape(array.shape, order="F")


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
