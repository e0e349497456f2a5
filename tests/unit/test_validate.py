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
from neuropipe.stats.checks import Check
from neuropipe.validate import PROOFS, validate


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


def test_an_unknown_part_is_refused():
    with pytest.raises(SettingsError, match="geometry"):
        validate("nothing")
