"""Result folders: complete or absent, readable without knowing the analysis."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from neuropipe.errors import InputError, ResultError
from neuropipe.plotting import new_figure, style
from neuropipe.results import Metric, Result, ResultFigure, cited, finite


def result(name: str = "lines", n_points: int = 10) -> Result:
    with style():
        figure = new_figure(1.5)
        figure.subplots().plot(np.random.default_rng(0).normal(size=n_points))
    return Result(
        analysis="quality", dataset="d", recording="r", subject="s", title="Quality",
        arrays=xr.Dataset({"snr": ("unit", [1.0, 2.0])}),
        metrics=[Metric(name="SNR", value=1.5, interval=(1.0, 2.0), verdict="good")],
        figures=[ResultFigure(name=name, title="Lines", caption="How to read.", figure=figure)],
        methods="We measured [a].", references={"a": "A, 2020"}, facts={"Units": "2"},
        warnings=["short"], provenance={"seed": 1},
    )  # fmt: skip


def test_round_trip(tmp_path: Path) -> None:
    result().write(tmp_path / "out")
    again = Result.read(tmp_path / "out")
    assert again.metrics == result().metrics
    assert again.metric("SNR").interval == (1.0, 2.0)
    assert again.figures[0].path == tmp_path / "out" / "figures" / "lines.svg"
    assert (again.methods, again.references, again.warnings) == (
        "We measured [a].", {"a": "A, 2020"}, ["short"],
    )  # fmt: skip
    np.testing.assert_array_equal(again.arrays["snr"].values, [1.0, 2.0])


def test_arrays_left_on_disk_are_no_empty_arrays(tmp_path: Path) -> None:
    result().write(tmp_path / "out")
    again = Result.read(tmp_path / "out", arrays=False)
    for look in (lambda: again.arrays["snr"], lambda: again.arrays.sizes):
        with pytest.raises(ResultError, match="not loaded"):
            look()
    with pytest.raises(ResultError, match="not loaded"):
        again.write(tmp_path / "copy")
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_a_page_of_results_needs_no_xarray(tmp_path: Path) -> None:
    result().write(tmp_path / "out")
    program = (
        "import sys; from pathlib import Path; from neuropipe.results import Result;"
        f"Result.read(Path({str(tmp_path / 'out')!r}), arrays=False);"
        "sys.exit('xarray' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_unknown_metric() -> None:
    with pytest.raises(KeyError, match="nothing"):
        result().metric("nothing")


def test_same_figure_same_bytes(tmp_path: Path) -> None:
    for name in "ab":
        result().write(tmp_path / name)
    first, second = ((tmp_path / n / "figures" / "lines.svg").read_bytes() for n in "ab")
    assert first == second


def test_a_large_drawing_becomes_a_png(tmp_path: Path) -> None:
    result(n_points=60_000).write(tmp_path / "out")
    assert [p.name for p in (tmp_path / "out" / "figures").iterdir()] == ["lines.png"]


@pytest.mark.parametrize("part", ["metrics.json", "section.json", "provenance.json", "result.nc"])
def test_incomplete_folder_is_refused(part: str, tmp_path: Path) -> None:
    result().write(tmp_path / "out")
    (tmp_path / "out" / part).unlink()
    with pytest.raises(ResultError, match="run again"):
        Result.read(tmp_path / "out")


def test_missing_figure_is_refused(tmp_path: Path) -> None:
    result().write(tmp_path / "out")
    (tmp_path / "out" / "figures" / "lines.svg").unlink()
    with pytest.raises(ResultError, match=r"lines\.svg"):
        Result.read(tmp_path / "out", arrays=False)


@pytest.mark.parametrize("broken", ["name", "nan"])
def test_nothing_is_left_of_a_failed_write(broken: str, tmp_path: Path) -> None:
    wrong = result("../escape" if broken == "name" else "lines")
    if broken == "nan":
        wrong.metrics = [Metric(name="m", value=float("nan"))]
    with pytest.raises((InputError, ValueError)):
        wrong.write(tmp_path / "out")
    assert not list(tmp_path.iterdir())


def test_an_older_result_is_replaced_whole(tmp_path: Path) -> None:
    result("old").write(tmp_path / "out")
    result("new").write(tmp_path / "out")
    assert [p.name for p in (tmp_path / "out" / "figures").iterdir()] == ["new.svg"]
    section = json.loads((tmp_path / "out" / "section.json").read_text())
    assert section["figures"][0]["name"] == "new"


def test_references_come_in_the_order_of_their_first_mark():
    references = {"Dadi2019": "Dadi", "Mantel1967": "Mantel", "Other2000": "never cited"}
    found = cited(
        "b [Mantel1967], a [Dadi2019], again [Mantel1967], (n = 3) [not a key]", references
    )
    assert list(found.items()) == [("Mantel1967", "Mantel"), ("Dadi2019", "Dadi")]
    with pytest.raises(KeyError, match="Who1999"):
        cited("as in [Who1999]", references)


def test_undefined_numbers_are_none():
    assert finite(np.float64(1.5)) == 1.5
    assert [finite(value) for value in (float("nan"), float("inf"), -np.inf)] == [None] * 3
