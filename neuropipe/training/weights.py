"""Weights in safetensors with a card that says what they are for; nothing is ever unpickled."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from neuropipe.training.errors import MismatchError, WeightsError

WEIGHTS, CARD = "model.safetensors", "settings.json"
_FORMAT = 1
_MAX_HEADER = 16 * 2**20  # bytes; names and shapes of a network take far fewer
_MAX_CARD = 256 * 2**20  # bytes
_REMEDY = "train again, or copy the whole folder again"
_MISSING = object()


def save_weights(folder: Path, state: Mapping[str, Tensor], card: Mapping[str, Any]) -> None:
    """Write ``model.safetensors`` and ``settings.json`` into an existing folder.

    Parameters
    ----------
    folder : Path
        Best from `neuropipe.atomic.atomic_folder`, so that both files appear together.
    state : mapping of str to Tensor
        Weights of any device and layout, such as a module's `state_dict`.
    card : mapping
        What they are for, as JSON values: settings, scaler, names, sampling rate...
    """
    from safetensors.torch import save_file

    path = folder / WEIGHTS
    # A copy: tensors that share memory or have gaps are refused.
    save_file({k: v.detach().cpu().clone().contiguous() for k, v in state.items()}, path)
    content = {"format": _FORMAT, "sha256": _sha256(path), "card": plain(card)}
    text = json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False)
    (folder / CARD).write_text(text + "\n", encoding="utf-8")


def load_weights(folder: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read what `save_weights` wrote.

    Returns
    -------
    state : dict of str to Tensor
        On the CPU.
    card : dict
        As JSON gives it back (lists for tuples).

    Raises
    ------
    WeightsError
        If a file is missing, damaged, of another format, or not the one that the card names.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    path = folder / WEIGHTS
    content = _read_card(folder / CARD)
    _check_header(path)
    if _sha256(path) != content["sha256"]:
        raise WeightsError(f"{path} has another checksum than its card", "its file", _REMEDY)
    try:
        return load_file(path), content["card"]
    except (SafetensorError, OSError, ValueError) as error:
        raise WeightsError(f"{path}: {error}", "safetensors", _REMEDY) from error


def require_match(card: Mapping[str, Any], expected: Mapping[str, Any], where: str) -> None:
    """Refuse weights that were made for something else.

    Parameters
    ----------
    card : mapping
        From `load_weights`; keys that are not expected are ignored.
    expected : mapping
        What the data at hand have.
    where : str
        What the weights are, for the error.

    Raises
    ------
    MismatchError
        Naming the first key that differs, with both values; of lists, the first entry that does.
    """
    for key, value in expected.items():
        found = plain(card[key]) if key in card else _MISSING
        difference = _difference(found, plain(value), str(key))
        if difference is not None:
            place, is_, should = difference
            raise MismatchError(
                f"{where}: {place} of the weights is {is_}",
                should,
                "use weights trained for these data, or train anew",
            )


def plain(value: Any) -> Any:
    """Turn tuples, arrays, tensors and their scalars into JSON values."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, Path):
        return str(value)
    return plain(value.tolist()) if hasattr(value, "tolist") else value


def _difference(found: Any, expected: Any, place: str) -> tuple[str, str, str] | None:
    """Place and both values of the first difference; None where there is none."""
    if isinstance(found, dict) and isinstance(expected, dict):
        for key in dict.fromkeys([*expected, *found]):
            inner = _difference(
                found.get(key, _MISSING), expected.get(key, _MISSING), f"{place}.{key}"
            )
            if inner is not None:
                return inner
        return None
    if isinstance(found, list) and isinstance(expected, list):
        return _list_difference(found, expected, place)
    return None if _same(found, expected) else (place, _short(found), _short(expected))


def _list_difference(
    found: Sequence[Any], expected: Sequence[Any], place: str
) -> tuple[str, str, str] | None:
    """First entry that differs, else the lengths."""
    for i, (one, other) in enumerate(zip(found, expected, strict=False)):
        inner = _difference(one, other, f"{place}[{i}]")
        if inner is not None:
            return inner
    if len(found) == len(expected):
        return None
    return f"length of {place}", str(len(found)), str(len(expected))


def _same(one: Any, other: Any) -> bool:
    """Compare scalars: NaN equals NaN, 1 equals 1.0 but not True."""
    if isinstance(one, bool) != isinstance(other, bool):
        return False
    if isinstance(one, float) and isinstance(other, float) and math.isnan(one):
        return math.isnan(other)
    return bool(one == other)


def _short(value: Any, limit: int = 60) -> str:
    """A value in few characters."""
    text = "missing" if value is _MISSING else repr(value)
    return text if len(text) <= limit else text[: limit - 3] + "..."


def _read_card(path: Path) -> dict[str, Any]:
    """Read and check the structure of a card."""
    try:
        if path.stat().st_size > _MAX_CARD:
            raise WeightsError(f"{path} has more than {_MAX_CARD} bytes", "a card", _REMEDY)
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise WeightsError(f"{path} is missing", "a folder of weights", _REMEDY) from error
    except (OSError, ValueError, RecursionError) as error:
        raise WeightsError(f"{path}: {error}", "the JSON of a card", _REMEDY) from error
    if not isinstance(content, dict) or content.get("format") != _FORMAT:
        given = content.get("format") if isinstance(content, dict) else type(content).__name__
        raise WeightsError(
            f"{path} has format {_short(given)}", f"format {_FORMAT}",
            "train again with this version",
        )  # fmt: skip
    if not isinstance(content.get("card"), dict) or not isinstance(content.get("sha256"), str):
        raise WeightsError(f"{path} lacks card or sha256", "both", _REMEDY)
    return content


def _check_header(path: Path) -> None:
    """Check the announced length of a safetensors header before anything reads that much."""
    try:
        size = path.stat().st_size
        with path.open("rb") as stream:
            announced = int.from_bytes(stream.read(8), "little")
    except FileNotFoundError as error:
        raise WeightsError(f"{path} is missing", "a folder of weights", _REMEDY) from error
    except OSError as error:
        raise WeightsError(f"{path}: {error}", "safetensors", _REMEDY) from error
    if size < 8 or announced > min(size - 8, _MAX_HEADER):
        raise WeightsError(
            f"{path} announces a header of {announced} bytes in a file of {size}",
            f"a header that fits, of at most {_MAX_HEADER} bytes",
            _REMEDY,
        )


def _sha256(path: Path) -> str:
    """Hash a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
