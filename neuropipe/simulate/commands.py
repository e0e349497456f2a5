"""`neuropipe simulate`: a dataset with known truth, in one folder."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from neuropipe.atomic import atomic_folder
from neuropipe.errors import SettingsError
from neuropipe.settings import parse_settings
from neuropipe.simulate.settings import SIMULATIONS


def simulate(kind: str, settings: str, output: Path) -> None:
    """Generate a dataset and write it, whole or not at all.

    Parameters
    ----------
    kind : {"fmri", "calcium", "spikes", "vision", "representations"}
    settings : str
        Settings of that kind as JSON; ``""`` for all defaults.
    output : Path
        Folder to appear; an older one is replaced.

    Raises
    ------
    SettingsError
        If the kind or a setting is unknown or impossible.
    """
    if kind not in SIMULATIONS:
        raise SettingsError(
            f"simulation is {kind!r}", f"one of {', '.join(SIMULATIONS)}", "correct it"
        )
    parsed = parse_settings(SIMULATIONS[kind], settings, f"settings of simulation {kind}")
    from neuropipe.simulate.truth import SUMMARY

    writer = import_module(f"neuropipe.simulate.{kind}_files")
    with atomic_folder(Path(output), SUMMARY) as folder:
        writer.write(parsed, folder)
