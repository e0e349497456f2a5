"""Image folders and the tables beside them; of an image only the header is read."""

from __future__ import annotations

import warnings
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd

from neuropipe.errors import InputError
from neuropipe.ingest.tables import check_columns, read_table, to_number
from neuropipe.names import check_relative

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp")
_MOST_PIXELS = 100_000_000
_JPEG_END = b"\xff\xd9"
_TAIL = 65_536  # bytes in which it must stand; cameras append data of their own
_PATH_COLUMNS = ("path", "filename", "file_name", "file", "image", "stimulus")
_ID_COLUMNS = ("id", "stimulus_id", "image_id")


def list_images(folder: Path) -> list[str]:
    """Names of the images of a folder, sorted.

    Raises
    ------
    InputError
        If there is none.
    """
    names = sorted(
        p.name
        for p in folder.iterdir()
        if p.suffix.lower() in IMAGE_SUFFIXES and not p.name.startswith(".")
    )
    if not names:
        raise InputError(
            f"{folder} holds no image", f"files {', '.join(IMAGE_SUFFIXES)}", "add them"
        )
    return names


def image_size(path: Path) -> tuple[int, int]:
    """Width and height of an image in pixels, from its header.

    Raises
    ------
    InputError
        If it is no image, one of over 100 million pixels, or a PNG or JPEG cut short.
    """
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of large images; the size is checked below
            with Image.open(path) as image:
                width, height = image.size
                kind = image.format
                image.verify()  # PNG: all chunks and their checksums; nothing is decoded
    except Exception as error:  # each of PIL's formats raises its own types
        raise InputError(f"{path}: {error}", "a readable image", "replace the file") from error
    if kind == "JPEG" and _JPEG_END not in _tail(path):
        raise InputError(f"{path} is cut short", "a whole JPEG image", "replace the file")
    if width * height > _MOST_PIXELS:
        raise InputError(
            f"{path} has {width} x {height} pixels", f"at most {_MOST_PIXELS}", "scale it down"
        )
    return width, height


def _tail(path: Path) -> bytes:
    with path.open("rb") as stream:
        stream.seek(max(0, path.stat().st_size - _TAIL))
        return stream.read()


def stimulus_table(
    folder: Path, relative: PurePosixPath, names: list[str], table: Path | None, history: list[str]
) -> pd.DataFrame:
    """List the stimuli in the order of the responses.

    Parameters
    ----------
    folder : Path
        Folder of the images.
    relative : PurePosixPath
        The same, relative to the dataset's root.
    names : list of str
        Images of the folder, sorted.
    table : Path, optional
        One row a stimulus in order, with a column ``path``, ``filename``, ``file``, ``image`` or
        ``stimulus`` of names within the folder; without such a column its rows describe the sorted
        images. A column ``id`` names the stimuli; other columns are kept.
    history : list of str
        Takes the notes.

    Returns
    -------
    pandas.DataFrame
        Indexed by id (by default the image's stem): ``path`` relative to the dataset's root,
        ``width`` and ``height`` in pixels, and the table's columns.

    Raises
    ------
    InputError
        If the table names an image that is absent or outside the folder, repeats an id, or has
        another length than there are images.
    """
    extra = pd.DataFrame(index=range(len(names)))
    ids: list[str] | None = None
    if table is not None:
        extra = read_side_table(table)
        column = next((c for c in _PATH_COLUMNS if c in extra), None)
        if column is None and len(extra) != len(names):
            raise InputError(
                f"{table} has {len(extra)} rows and no column of file names",
                f"{len(names)} rows, one an image",
                "add the column path",
            )
        if column is not None:
            n_images = len(names)
            names = [_listed(v, set(names), table, folder) for v in extra[column]]
            extra = extra.drop(columns=column)
            history.append(f"order of {len(names)} stimuli from {table.name}")
            if len(set(names)) < n_images:
                history.append(f"{n_images - len(set(names))} images are in no row of {table.name}")
        column = next((c for c in _ID_COLUMNS if c in extra), None)
        if column is not None:
            ids = [_text(v) for v in extra[column]]
            extra = extra.drop(columns=column)
    if ids is None:
        stems = [PurePosixPath(name).stem for name in names]
        ids = stems if len(set(stems)) == len(stems) else list(names)
    if len(set(ids)) < len(ids):
        twice = next(i for i in ids if ids.count(i) > 1)
        raise InputError(
            f"stimulus {twice} stands twice in {table or folder}", "unique ids", "add a column id"
        )
    sizes = np.array([image_size(folder / name) for name in names], dtype=np.int64)
    columns = {
        "path": [(relative / name).as_posix() for name in names],
        "width": sizes[:, 0],
        "height": sizes[:, 1],
    }
    others = {c: extra[c].to_numpy() for c in extra if c not in columns}
    return pd.DataFrame(columns | others, index=pd.Index(ids, dtype=object))


def _listed(value: object, known: set[str], table: Path, folder: Path) -> str:
    name = check_relative(_text(value), f"{table}: an image")
    parts = PurePosixPath(name).parts
    bare = parts[-1] if len(parts) == 1 or parts[:-1] == (folder.name,) else name
    if bare not in known:
        raise InputError(
            f"{table} names {name}", f"one of the {len(known)} images of {folder}", "correct it"
        )
    return bare


def _text(value: object) -> str:
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return "" if value is None else str(value)


def read_side_table(path: Path) -> pd.DataFrame:
    """Read a table beside an array.

    Parameters
    ----------
    path : Path
        ``.tsv`` or ``.csv`` in UTF-8 with a header.

    Returns
    -------
    pandas.DataFrame
        Numbers where every present cell of a column is one, text otherwise; None where missing.

    Raises
    ------
    InputError
        If it is no such table, or has no row.
    """
    if path.suffix == ".tsv":
        table = read_table(path)
    else:
        try:
            table = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")
        except (OSError, ValueError) as error:  # pandas' own errors are ValueErrors
            raise InputError(f"{path}: {error}", "a comma-separated table", "mend it") from error
        check_columns([str(name) for name in table.columns], path)
        table = table.astype(object).mask(table.isin(["", "n/a"]), None)
    if not len(table):
        raise InputError(f"{path} has no row", "one row a unit or stimulus", "fill or remove it")
    columns = {}
    for name in table.columns:
        cells = [None if pd.isna(cell) else str(cell) for cell in table[name]]
        # "007" is a label, not the number seven.
        coded = any(c and len(c) > 1 and c[0] == "0" and c.isdigit() for c in cells)
        numbers = [None if cell is None else to_number(cell) for cell in cells]
        numeric = not coded and [n is None for n in numbers] == [c is None for c in cells]
        columns[str(name).replace("/", "_")] = (
            np.array([np.nan if n is None else n for n in numbers])
            if numeric and any(n is not None for n in numbers)
            else np.array(cells, dtype=object)
        )
    return pd.DataFrame(columns)
