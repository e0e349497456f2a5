"""Benchmarks: each part beside the peers that its users would otherwise call, in one run."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from neuropipe.errors import SettingsError

#: Module by name; each has `run(repeats)`, which gives rows for the table.
BENCHMARKS = {
    "brainmae": "neuropipe.benchmarks.brainmae",
    "connectome": "neuropipe.benchmarks.connectome",
    "geometry": "neuropipe.benchmarks.geometry",
    "ingest": "neuropipe.benchmarks.ingest",
    "trsa": "neuropipe.benchmarks.trsa",
}


def benchmark(name: str, output: Path | None = None, repeats: int = 5) -> None:
    """Run one benchmark, print its table and write its figures.

    Parameters
    ----------
    name : str
        One of `BENCHMARKS`.
    output : Path, optional
        JSON file for the figures; a part that draws one puts it beside, as SVG.
    repeats : int
        Timed calls of each side, after one that is not counted.

    Raises
    ------
    SettingsError
        If there is no such benchmark.
    """
    from neuropipe.benchmarks.table import print_table, write_table

    if name not in BENCHMARKS:
        raise SettingsError(f"benchmark {name!r}", ", ".join(BENCHMARKS), "name one of these")
    module = import_module(BENCHMARKS[name])
    rows = module.run(repeats=repeats)
    print_table(f"neuropipe benchmark {name}", rows)
    if output is not None:
        write_table(output, rows)
        if hasattr(module, "plot"):
            module.plot(rows, Path(output).with_suffix(".svg"))
