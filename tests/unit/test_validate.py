"""Every proof and benchmark that a command names is there, and a failing row fails the command."""

from __future__ import annotations

import inspect
import json
from importlib import import_module
from types import SimpleNamespace

import numpy as np
import pytest

from neuropipe import validate as module
from neuropipe.benchmarks import BENCHMARKS
from neuropipe.errors import SettingsError
from neuropipe.plotting import new_figure
from neuropipe.stats.checks import Check
from neuropipe.validate import DRAWINGS, PROOFS, validate


@pytest.mark.parametrize("name", sorted({proof for part in PROOFS.values() for proof in part}))
def test_proofs_can_be_called(name):
    parameters = inspect.signature(import_module(name).checks).parameters.values()
    assert all(p.default is not p.empty for p in parameters)


def test_representations_are_proven_with_their_geometry():
    assert set(PROOFS["geometry"]) < set(PROOFS["trsa"])
    assert len(set(PROOFS["trsa"])) == len(PROOFS["trsa"])


@pytest.mark.parametrize("name", BENCHMARKS.values())
def test_benchmarks_take_a_number_of_repeats(name):
    assert "repeats" in inspect.signature(import_module(name).run).parameters


@pytest.mark.parametrize("passed", [True, False])
def test_a_row_that_fails_fails_the_part(tmp_path, monkeypatch, passed):
    # Numpy's numbers and truth values, as comparisons of arrays give them.
    one = np.float32(1)
    rows = [Check("good", one, ">= 0", one >= 0), Check("other", one, ">= 2", np.bool_(passed))]
    monkeypatch.setitem(PROOFS, "planted", ("planted",))
    monkeypatch.setattr(
        module, "import_module", lambda _: SimpleNamespace(checks=lambda full=False: rows)
    )
    output = tmp_path / "rows.json"
    assert validate("planted", output=output) == int(not passed)
    assert [row["passed"] for row in json.loads(output.read_text())] == [True, passed]


def test_drawings_stand_beside_the_rows(tmp_path, monkeypatch):
    parts = {
        "planted": SimpleNamespace(checks=lambda: [Check("good", 1.0, ">= 0", True)]),
        "drawn": SimpleNamespace(figures=lambda: {"eights": new_figure(1.0)}),
    }
    monkeypatch.setitem(PROOFS, "planted", ("planted",))
    monkeypatch.setitem(DRAWINGS, "planted", ("drawn",))
    monkeypatch.setattr(module, "import_module", parts.get)
    assert validate("planted", output=tmp_path / "rows.json") == 0
    assert {path.name for path in tmp_path.iterdir()} == {"rows.json", "rows-eights.svg"}


@pytest.mark.parametrize("name", sorted({part for parts in DRAWINGS.values() for part in parts}))
def test_drawings_can_be_called(name):
    assert not inspect.signature(import_module(name).figures).parameters


def test_an_unknown_part_is_refused():
    with pytest.raises(SettingsError, match="geometry"):
        validate("nothing")
