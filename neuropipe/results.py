"""The result of an analysis: one folder that the report can print without knowing the analysis.

``result.nc`` (arrays), ``metrics.json`` (numbers beside baseline, chance and interval),
``figures/*.svg`` or ``.png``, ``section.json`` (title, captions, methods, warnings) and
``provenance.json``.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

from pydantic import BaseModel, ConfigDict

from neuropipe.atomic import atomic_folder
from neuropipe.errors import ResultError
from neuropipe.manifest import validated
from neuropipe.names import check_name

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure as MatplotlibFigure

Verdict = Literal["good", "doubtful", "bad"]
VERDICTS: tuple[Verdict, ...] = ("good", "doubtful", "bad")
GROUP = "group"  # the recording name of a result over a whole dataset
_SVG_LIMIT = 150_000  # bytes; larger figures are stored as PNG
_PNG_DPI = 110
_SECTION = "section.json"


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One number with all that is needed to judge it.

    Parameters
    ----------
    name : str
        Short name in words, such as ``"temporal SNR"``.
    value : float or None
        None where it could not be computed; then `description` says why.
    unit : str
        SI unit or ``""``.
    description : str
        One sentence: what it measures and which way is better.
    baseline, baseline_name
        The same number of a simple strong method.
    chance : float, optional
        What a method without information reaches.
    interval : tuple of float, optional
        95 % interval (low, high).
    n : int, optional
        Number of independent observations.
    seed : int, optional
        Seed of the splits or resampling.
    split : str
        How training and test data were parted.
    verdict : {"good", "doubtful", "bad"}, optional
        Judgement by the bounds of the settings.
    bounds : str
        Those bounds in words.
    better : {"higher", "lower", ""}
        Which way is better; ``""`` where neither is. The index ranks subjects by it.
    """

    __pydantic_config__ = ConfigDict(extra="forbid", allow_inf_nan=False)  # when read from a file

    name: str
    value: float | None
    unit: str = ""
    description: str = ""
    baseline: float | None = None
    baseline_name: str = ""
    chance: float | None = None
    interval: tuple[float, float] | None = None
    n: int | None = None
    seed: int | None = None
    split: str = ""
    verdict: Verdict | None = None
    bounds: str = ""
    better: Literal["higher", "lower", ""] = ""


@dataclass(frozen=True, kw_only=True)
class ResultFigure:
    """A figure with the words that belong to it.

    Parameters
    ----------
    name : str
        File name without suffix; letters, digits, ``_`` and ``-``.
    title : str
        Heading in the report.
    caption : str
        What it shows and how to read it.
    figure : matplotlib.figure.Figure, optional
        The drawing, when it is about to be written.
    path : Path, optional
        Where it stands, when it was read.
    """

    name: str
    title: str
    caption: str
    figure: MatplotlibFigure | None = None
    path: Path | None = None


def finite(value: float) -> float | None:
    """The number, None where it is undefined: what a `Metric` takes."""
    return float(value) if math.isfinite(value) else None


def cited(text: str, references: Mapping[str, str]) -> dict[str, str]:
    """References that a text marks with ``[key]``, in the order of their first mark.

    Parameters
    ----------
    text : str
        Methods text; every ``[word]`` in it is a key.
    references : mapping
        Full references by key.

    Raises
    ------
    KeyError
        If the text cites what is not there.
    """
    keys = dict.fromkeys(re.findall(r"\[(\w+)\]", text))
    return {key: references[key] for key in keys}


def _no_arrays() -> xr.Dataset:
    import xarray as xr

    return xr.Dataset()


@dataclass(kw_only=True)
class Result:
    """What an analysis says of one recording, or of a dataset (`recording` is ``"group"``).

    Parameters
    ----------
    analysis, dataset, recording, subject : str
        Names; `subject` is ``""`` for a group.
    title : str
        Heading of the report's section.
    arrays : xarray.Dataset or xarray.DataTree
        Everything a user may want to load; units in the attributes.
    metrics : list of Metric
    figures : list of ResultFigure
    methods : str
        Text for a paper's methods section, with ``[key]`` marks into `references`.
    references : dict of str to str
        Full reference by key.
    facts : dict of str to str
        Short facts for the overview, in reading order.
    warnings : list of str
        What a reader must know before trusting the numbers.
    provenance : dict
        See `neuropipe.provenance.provenance`.
    """

    analysis: str
    dataset: str
    recording: str
    subject: str = ""
    title: str = ""
    arrays: xr.Dataset | xr.DataTree = field(default_factory=_no_arrays)
    metrics: list[Metric] = field(default_factory=list)
    figures: list[ResultFigure] = field(default_factory=list)
    methods: str = ""
    references: dict[str, str] = field(default_factory=dict)
    facts: dict[str, str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    provenance: dict[str, Any] = field(default_factory=dict)

    def metric(self, name: str) -> Metric:
        """Return the metric of that name.

        Raises
        ------
        KeyError
            If there is none.
        """
        for metric in self.metrics:
            if metric.name == name:
                return metric
        raise KeyError(name)

    def write(self, folder: Path) -> None:
        """Write the result folder, whole or not at all."""
        with atomic_folder(Path(folder), _SECTION) as temporary:
            self.arrays.to_netcdf(temporary / "result.nc", engine="h5netcdf")
            _dump(temporary / "metrics.json", [asdict(m) for m in self.metrics])
            _dump(temporary / _SECTION, self._section())
            _dump(temporary / "provenance.json", self.provenance)
            (temporary / "figures").mkdir()
            for figure in self.figures:
                _save_figure(figure, temporary / "figures")

    def _section(self) -> dict[str, Any]:
        names = ("analysis", "dataset", "recording", "subject", "title", "methods")
        section: dict[str, Any] = {name: getattr(self, name) for name in names}
        section |= {n: getattr(self, n) for n in ("references", "facts", "warnings")}
        section["figures"] = [
            {"name": f.name, "title": f.title, "caption": f.caption} for f in self.figures
        ]
        return section

    @classmethod
    def read(cls, folder: Path, *, arrays: bool = True) -> Result:
        """Read a folder written by `write`.

        Parameters
        ----------
        folder : Path
        arrays : bool
            Whether to load ``result.nc``; the report needs only the rest. Without it, looking at
            the arrays is an error.

        Raises
        ------
        ResultError
            If a part is missing or unreadable.
        """
        folder = Path(folder)
        try:
            parts = {part: _load(folder / f"{part}.json") for part in _Stored.model_fields}
            stored = validated(_Stored, parts, str(folder), ResultError)
            words = stored.section.model_dump(exclude={"figures"})
            return cls(
                **words,
                figures=[
                    ResultFigure(**f.model_dump(), path=_figure_path(folder, f.name))
                    for f in stored.section.figures
                ],
                metrics=stored.metrics,
                provenance=stored.provenance,
                arrays=_load_arrays(folder / "result.nc")
                if arrays
                else cast("xr.Dataset", _NotLoaded(folder)),
            )
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            raise ResultError(
                f"{folder}: {error}", "a complete result folder", "delete it and run again"
            ) from error


class _NotLoaded:
    """Stands for arrays that were left on disk: no xarray is imported for a page."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self[name]

    def __getitem__(self, name: str) -> Any:
        raise ResultError(
            f"{name!r} of {self._folder} was not loaded", "loaded arrays", "use Result.read(folder)"
        )


def _load_arrays(path: Path) -> xr.Dataset | xr.DataTree:
    import xarray as xr

    with xr.open_datatree(path, engine="h5netcdf") as opened:
        tree = opened.load()
    return tree if tree.children else tree.to_dataset()


class _FigureWords(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str
    title: str
    caption: str


class _Section(BaseModel):
    """What ``section.json`` holds."""

    model_config = ConfigDict(extra="forbid")

    analysis: str
    dataset: str
    recording: str
    subject: str
    title: str
    methods: str
    references: dict[str, str]
    facts: dict[str, str]
    warnings: list[str]
    figures: list[_FigureWords]


class _Stored(BaseModel):
    """The JSON files of a result folder, by stem."""

    section: _Section
    metrics: list[Metric]
    provenance: dict[str, Any]


def _load(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def _figure_path(folder: Path, name: str) -> Path:
    check_name(name, f"figure of {folder}")
    for suffix in (".svg", ".png"):
        path = folder / "figures" / f"{name}{suffix}"
        if path.is_file():
            return path
    raise FileNotFoundError(f"figures/{name}.svg")


def _save_figure(figure: ResultFigure, folder: Path) -> None:
    from neuropipe.plotting import (  # matplotlib is loaded only where figures are drawn
        save_svg,
        style,
    )

    assert figure.figure is not None
    path = folder / f"{check_name(figure.name, 'figure')}.svg"
    save_svg(figure.figure, path)
    if path.stat().st_size > _SVG_LIMIT:
        path.unlink()
        with style():
            _save_png(figure.figure, path.with_suffix(".png"))
    figure.figure.clear()


def _save_png(figure: MatplotlibFigure, path: Path) -> None:
    """Write a figure in 256 colours: a third of the size, and no eye sees it."""
    from PIL import Image

    drawn = BytesIO()
    figure.savefig(drawn, format="png", dpi=_PNG_DPI)
    with Image.open(drawn) as image:
        small = image.convert("RGB").quantize(256, dither=Image.Dither.NONE)
        small.save(path, dpi=(_PNG_DPI, _PNG_DPI))


def _dump(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=1, allow_nan=False) + "\n", encoding="utf-8")
