"""From JSON on a command line to a validated settings model."""

from __future__ import annotations

import json
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict

from neuropipe.errors import SettingsError
from neuropipe.manifest import validated

M = TypeVar("M", bound=BaseModel)


class Settings(BaseModel):
    """Base of the settings of an analysis: unknown keys are refused, values are frozen.

    Each field carries its unit, range, default and source, so that the configuration reference can
    be generated from the models.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)


def distinct(values: tuple[object, ...]) -> tuple[object, ...]:
    """Refuse a list with an entry that stands twice; for validators.

    Raises
    ------
    ValueError
        Which pydantic turns into an error that names the key.
    """
    if len(set(values)) != len(values):
        raise ValueError("an entry stands twice")
    return values


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse a key that stands twice: JSON would silently take the last."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"{next(n for n in names if names.count(n) > 1)!r} stands twice")
    return found


def parse_settings(model: type[M], text: str, where: str) -> M:
    """Parse and validate settings given as JSON.

    Parameters
    ----------
    model : type
        The settings model.
    text : str
        JSON; ``""`` stands for all defaults.
    where : str
        What the settings are of, for the error.

    Raises
    ------
    SettingsError
        Naming the path of the first wrong key.
    """
    try:
        data = json.loads(text or "{}", object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        raise SettingsError(f"{where}: {error}", "JSON", "correct it") from error
    return validated(model, data, where, SettingsError)
