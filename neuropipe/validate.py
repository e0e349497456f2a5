"""`neuropipe validate`: every part proves itself on data whose truth is known."""

from __future__ import annotations

import inspect
import json
from dataclasses import asdict
from importlib import import_module
from pathlib import Path

from rich.console import Console
from rich.table import Table

from neuropipe.atomic import atomic_file
from neuropipe.errors import SettingsError
from neuropipe.stats.checks import Check

_GEOMETRY = (
    "neuropipe.trsa.geometry.proofs.abstraction",
    "neuropipe.trsa.geometry.proofs.laziness",
    "neuropipe.trsa.geometry.proofs.features",
)

#: Modules whose `checks()` make up each proof.
PROOFS = {
    "simulate": (
        "neuropipe.simulate.fmri_checks",
        "neuropipe.simulate.calcium_checks",
        "neuropipe.simulate.stimuli_checks",
        "neuropipe.simulate.representations_checks",
    ),
    "connectivity": ("neuropipe.connectivity.validate",),
    "brainmae": (
        "neuropipe.brainmae.proofs.invariances",
        "neuropipe.brainmae.proofs.reconstruction",
        "neuropipe.brainmae.proofs.labels",
        "neuropipe.brainmae.proofs.switching",
        "neuropipe.brainmae.proofs.ablations",
    ),
    "connectome": (
        "neuropipe.connectome.proofs.factors",
        "neuropipe.connectome.proofs.epochs",
        "neuropipe.connectome.proofs.silencing",
        "neuropipe.connectome.proofs.graphs",
        "neuropipe.connectome.proofs.ablations",
    ),
    "trsa": (
        "neuropipe.trsa.proofs.shapes",
        "neuropipe.trsa.proofs.identification",
        "neuropipe.trsa.proofs.estimators",
        "neuropipe.trsa.proofs.inference",
        *_GEOMETRY,
    ),
    "geometry": _GEOMETRY,
}

#: Modules whose `figures()` show what was proven.
DRAWINGS = {
    "trsa": (
        "neuropipe.trsa.proofs.shapes_figure",
        "neuropipe.trsa.geometry.proofs.figures",
    ),
    "geometry": ("neuropipe.trsa.geometry.proofs.figures",),
}


def validate(name: str, *, output: Path | None = None, full: bool = False) -> int:
    """Run the checks of one part and print measured against threshold.

    Parameters
    ----------
    name : str
        A key of `PROOFS`.
    output : Path, optional
        JSON file for the rows; a part that draws figures puts them beside, as SVG.
    full : bool
        Whether to run the long form, where a part has one.

    Returns
    -------
    int
        0 when every check passed, else 1.

    Raises
    ------
    SettingsError
        If there is no such part.
    """
    if name not in PROOFS:
        raise SettingsError(f"validate {name}", f"one of {', '.join(PROOFS)}", "correct the name")
    rows: list[Check] = []
    for module in PROOFS[name]:
        checks = import_module(module).checks
        takes_full = "full" in inspect.signature(checks).parameters
        rows += checks(full=full) if takes_full else checks()
    table = Table("check", "measured", "threshold", "", title=f"neuropipe validate {name}")
    for row in rows:
        mark = "[green]pass[/]" if row.passed else "[red]FAIL[/]"
        table.add_row(row.name, f"{row.measured:.4g}", row.threshold, mark)
    Console(width=120).print(table)
    if output is not None:
        with atomic_file(output) as temporary:
            temporary.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n")
        _draw(name, output)
    return int(not all(row.passed for row in rows))


def _draw(name: str, output: Path) -> None:
    """Write the figures of a part beside its rows."""
    from neuropipe.plotting import save_svg

    for module in DRAWINGS.get(name, ()):
        for part, figure in import_module(module).figures().items():
            with atomic_file(output.with_name(f"{output.stem}-{part}.svg")) as temporary:
                save_svg(figure, temporary)
