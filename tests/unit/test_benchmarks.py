from __future__ import annotations

import json
import time
from functools import partial

import numpy as np
import pytest

from neuropipe import benchmarks
from neuropipe.benchmarks import ingest
from neuropipe.benchmarks.table import compare, peak_memory, print_table, write_table
from neuropipe.errors import SettingsError


def busy(seconds):
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pass


def allocate(megabytes):
    np.ones(megabytes * 2**17)


def test_ratio_tells_who_is_faster():
    row = compare(
        "wait", "longer", partial(busy, 0.02), partial(busy, 0.04), repeats=4, memory=False
    )
    assert 0.35 < row.ratio < 0.7
    assert row.ratio_low <= row.ratio <= row.ratio_high
    assert row.theirs > row.ours > 0.019
    assert row.repeats == 4
    assert np.isnan(row.ours_peak)


def test_peak_memory_is_that_of_the_call():
    ballast = np.ones(400 * 2**17)  # of the parent: must not count
    assert 150 < peak_memory(partial(allocate, 200)) < 260
    assert ballast.size


def test_rows_are_printed_and_written(tmp_path, capsys):
    row = compare("a task", "a peer", partial(busy, 0.001), partial(busy, 0.001), memory=False)
    print_table("title", [row])
    printed = capsys.readouterr().out
    assert "title" in printed
    assert "peer" in printed
    write_table(tmp_path / "b.json", [row])
    written = json.loads((tmp_path / "b.json").read_text())
    assert written["rows"][0]["ratio"] == row.ratio
    assert written["rows"][0]["ours_peak"] is None
    assert "numpy" in written["software"]


def test_both_sides_of_the_ingest_benchmark_give_the_same_series(tmp_path, monkeypatch):
    monkeypatch.setattr(ingest, "SHAPE", (12, 12, 8))
    ingest.write_dataset(tmp_path, n_times=60, n_labels=9)
    for cleaned in (False, True):
        ours = ingest.read_run(tmp_path, cleaned).signals.values
        theirs = ingest.read_nilearn(tmp_path, cleaned)
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-3)


def test_command_runs_a_named_benchmark(tmp_path, monkeypatch):
    row = compare("t", "p", partial(busy, 0.001), partial(busy, 0.001), memory=False)
    monkeypatch.setattr(ingest, "run", lambda repeats: [row])
    benchmarks.benchmark("ingest", tmp_path / "b.json")
    assert json.loads((tmp_path / "b.json").read_text())["rows"][0]["task"] == "t"
    with pytest.raises(SettingsError, match="benchmark 'nothing'"):
        benchmarks.benchmark("nothing")
