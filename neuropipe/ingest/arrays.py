"""Arrays in .npy, .mat and HDF5 files, read without trusting them.

A ``.npy`` of objects is a pickle, and a pickle can run any program. Numeric arrays never need one;
the few files that do (Suite2p's ``ops`` and ``stat``, the label maps of NSD) go through an
unpickler that builds numpy arrays and plain Python values and refuses everything else.
"""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import Any

import numpy as np

from neuropipe.errors import InputError, NeuropipeError
from neuropipe.ingest.matlab import mat_shapes, read_mat

SUFFIXES = (".npy", ".mat", ".h5", ".hdf5")
_COMPRESSION = 200  # no gigabyte of measured numbers shrinks further
_SAFE = {
    "builtins": {"dict", "list", "tuple", "set", "frozenset", "int", "float", "complex", "bool",
                 "str"},
    "collections": {"OrderedDict"},
    "numpy": {"ndarray", "dtype"},
}  # fmt: skip
_NUMPY_BUILDERS = {"_reconstruct", "scalar", "_frombuffer"}
_NUMPY_MODULES = {f"{core}.{part}" for core in ("numpy.core", "numpy._core")
                  for part in ("multiarray", "numeric")}  # fmt: skip


def load_array(path: Path, variable: str | None = None) -> np.ndarray:
    """Load a numeric array of at least one dimension.

    Parameters
    ----------
    path : Path
        ``.npy`` (memory-mapped), ``.mat`` (any version), ``.h5`` or ``.hdf5``.
    variable : str, optional
        Which variable of a file with several; without it the file must hold one numeric array of
        two or more dimensions.

    Returns
    -------
    numpy.ndarray
        Of numbers or bools. Axes are those that the writing program shows: the reversed order of
        MATLAB 7.3 files is undone.

    Raises
    ------
    InputError
        If the file is no array, truncated, of objects, empty, or the variable is not clear.
    """
    suffix = path.suffix.lower()
    try:
        if suffix == ".npy":
            array: np.ndarray = np.load(path, mmap_mode="r", allow_pickle=False)
        elif suffix == ".mat" and not _is_hdf5(path):
            array = _from_mat(path, variable)
        elif suffix in SUFFIXES:
            array = _from_hdf5(path, variable, reverse=suffix == ".mat")
        else:
            raise InputError(f"{path} is no array file", " or ".join(SUFFIXES), "convert it")
    except NeuropipeError:
        raise
    except Exception as error:  # numpy, scipy and h5py raise types of their own
        raise InputError(
            f"{path}: {error or type(error).__name__}",
            "a whole numeric array",
            "write the file again",
        ) from error
    if array.dtype.kind not in "biuf":
        raise InputError(f"{path} holds {array.dtype}", "real numbers", "write them as numbers")
    if not array.size:
        raise InputError(f"{path} has shape {array.shape}", "data", "write the file again")
    return array


def load_plain_object(path: Path) -> Any:
    """Load a pickled ``.npy`` that may hold numpy arrays and plain Python values only.

    Parameters
    ----------
    path : Path
        A ``.npy`` file of dtype object; a dictionary saved by itself is unwrapped.

    Returns
    -------
    object
        The array of objects, or the one object of a 0-dimensional array.

    Raises
    ------
    InputError
        If the file is malformed or its pickle names anything else (a function, a class).
    """
    try:
        with path.open("rb") as stream:
            version = np.lib.format.read_magic(stream)
            read = np.lib.format.read_array_header_1_0
            if version != (1, 0):
                read = np.lib.format.read_array_header_2_0
            _, _, dtype = read(stream)
            if not dtype.hasobject:
                return load_array(path)
            array: Any = _PlainUnpickler(io.BytesIO(stream.read())).load()
    except InputError as error:
        raise InputError(f"{path}: {error.given}", error.expected, error.remedy) from error
    except Exception as error:  # a malformed pickle can raise anything
        raise InputError(f"{path}: {error}", "a readable .npy file", "write it again") from error
    return array.item() if isinstance(array, np.ndarray) and array.ndim == 0 else array


class _PlainUnpickler(pickle._Unpickler):
    """Builds numpy arrays, numbers, text and containers; paths become text.

    The unpickler written in Python: the compiled one asks for any amount of memory that a damaged
    memo index names (16 GB for a few bytes).
    """

    def find_class(self, module: str, name: str) -> Any:
        if module == "builtins" and name in ("bytes", "bytearray"):
            return _of_bytes
        if module in ("pathlib", "pathlib._local") and name.endswith("Path"):
            return _path_text  # newer Suite2p stores paths; they are not needed as such
        if name in _SAFE.get(module, ()) or (module in _NUMPY_MODULES and name in _NUMPY_BUILDERS):
            return super().find_class(module, name)
        raise InputError(
            f"the pickle inside asks for {module}.{name}",
            "numpy arrays and plain values",
            "do not open that file; it may run a program",
        )


def _of_bytes(data: bytes = b"") -> bytes:
    """Bytes from bytes; from a number they would be that many zeros."""
    if not isinstance(data, bytes):
        raise pickle.UnpicklingError("bytes are made of something else")
    return data


def _path_text(*parts: object) -> str:
    return "/".join(map(str, parts))


def _is_hdf5(path: Path) -> bool:
    # MATLAB 7.3 writes a text header of 512 bytes before the HDF5 signature.
    with path.open("rb") as stream:
        head = stream.read(520)
    return b"\x89HDF\r\n\x1a\n" in (head[:8], head[512:520])


def _choose(candidates: list[str], variable: str | None, path: Path) -> str:
    if variable is not None and variable in candidates:
        return variable
    if variable is None and len(candidates) == 1:
        return candidates[0]
    listed = ", ".join(sorted(candidates)[:8]) or "none"
    raise InputError(
        f"{path} holds the arrays {listed}",
        f"an array named {variable!r}" if variable else "one array of two or more dimensions",
        "name one of them with the setting variable",
    )


def _from_mat(path: Path, variable: str | None) -> np.ndarray:
    found = [
        name
        for name, shape in mat_shapes(path).items()
        if name == variable or sum(n > 1 for n in shape) > 1
    ]
    return read_mat(path, _choose(found, variable, path))


def _from_hdf5(path: Path, variable: str | None, *, reverse: bool) -> np.ndarray:
    import h5py

    with h5py.File(path, "r") as file:
        check_links(file, str(path))
        found: list[str] = []

        def visit(name: str, item: Any) -> None:
            numeric = isinstance(item, h5py.Dataset) and item.dtype.kind in "biuf"
            if numeric and (name == variable or len(item.shape) > 1):
                found.append(name)

        file.visititems(visit)
        array = read_dataset(file[_choose(found, variable, path)], str(path))
    return array.T if reverse else array


def check_links(file: Any, what: str) -> None:
    """Refuse an HDF5 file that reaches into other files.

    An external link, externally stored dataset or virtual dataset makes the library open any path
    that the file's author wrote down, outside of what the lock has checked.

    Parameters
    ----------
    file : h5py.File
    what : str
        Its name, for the error.

    Raises
    ------
    InputError
        Naming the first such link.
    """
    import h5py

    seen: set[Any] = set()
    stack = [file["/"]]
    while stack:
        group = stack.pop()
        for name in group:
            link = group.get(name, getlink=True)
            where = f"{group.name.rstrip('/')}/{name}"
            if isinstance(link, h5py.ExternalLink):
                raise _reaches_out(what, where, link.filename)
            if not isinstance(link, h5py.HardLink):
                continue  # a soft link stays inside; its target is visited by itself
            item = group[name]
            if isinstance(item, h5py.Dataset):
                if item.external:
                    raise _reaches_out(what, where, item.external[0][0])
                if item.is_virtual:
                    other = {s.file_name for s in item.virtual_sources()} - {"."}
                    if other:
                        raise _reaches_out(what, where, sorted(other)[0])
            elif isinstance(item, h5py.Group):
                address = h5py.h5o.get_info(item.id).addr
                if address not in seen:
                    seen.add(address)
                    stack.append(item)


def _reaches_out(what: str, where: str, target: str) -> InputError:
    return InputError(
        f"{what}: {where} points to another file ({target})",
        "a file that holds all its data itself",
        "copy the linked data into the file",
    )


def read_dataset(dataset: Any, what: str, selection: Any = ()) -> np.ndarray:
    """Read an HDF5 dataset, or part of it, whose declared size is believable.

    A few bytes can declare terabytes; a dataset that is far larger than what is stored is refused
    before memory is asked for.

    Parameters
    ----------
    dataset : h5py.Dataset
    what : str
        Name of the file, for the error.
    selection : index, optional
        Passed to the dataset.

    Raises
    ------
    InputError
        If it cannot be read, or declares values with nothing stored, or over 1 GB with almost
        nothing.
    """
    declared = dataset.size * dataset.dtype.itemsize if dataset.shape is not None else 0
    stored = dataset.id.get_storage_size()
    if declared and (not stored or (declared > 1 << 30 and declared > _COMPRESSION * stored)):
        raise InputError(
            f"{what}: {dataset.name} declares shape {dataset.shape} but stores {stored} bytes",
            "the data of its shape",
            "write the file again",
        )
    try:
        return np.asarray(dataset[selection])
    except (OSError, RuntimeError, ValueError, TypeError, MemoryError) as error:
        raise InputError(
            f"{what}: {dataset.name}: {error}", "a readable dataset", "copy the file again"
        ) from error
