"""Recordings become one array of matched units; what cannot be used is said."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuropipe.connectome.data import build_animals
from neuropipe.connectome.runs import fill_gaps, resampled
from neuropipe.connectome.settings import UnitSettings
from neuropipe.errors import UnfitRecordingError
from neuropipe.ingest.read import discover, read_recording
from neuropipe.ingest.settings import CalciumReadSettings
from neuropipe.ingest.source import SourceFiles
from neuropipe.simulate.calcium import sim_calcium
from neuropipe.simulate.calcium_files import animal_names, write
from neuropipe.simulate.settings import CalciumSimulation
from tests.unit.connectome.builders import recording, traces

NAMES = ["AVA", "AVB", "AVD", "AVE", "RIM", "RIB", "SMD"]
SETTINGS = UnitSettings()


def test_units_meet_by_name_and_absent_ones_are_nan():
    x, y = traces(7, 120, 1), traces(6, 120, 2)
    other = ["RIB", "AVA", "AIB", "AVB", "RIM", "AVD"]
    found = build_animals([recording("a", NAMES, x), recording("b", other, y)], "toy", SETTINGS)
    assert found.names == [*NAMES, "AIB"]
    assert found.recordings == ["sub-a", "sub-b"]
    assert found.traces.dtype == np.float32
    assert np.array_equal(found.traces[0, :7], x)
    assert np.array_equal(found.traces[1, found.names.index("AIB")], y[2])
    assert np.array_equal(found.presence[1], [n in other for n in found.names])
    assert np.array_equal(found.presence, np.isfinite(found.traces).all(axis=2))
    assert found.noun == "neuron"
    assert list(found.units.columns) == ["region"]  # numbers are a recording's own
    assert found.clock == "own"  # no events: rest
    assert found.warnings == []


def test_rare_units_are_left_out():
    runs = [recording(s, NAMES) for s in "abc"] + [recording("d", [*NAMES, "ASH", "ADL"])]
    found = build_animals(runs, "toy", SETTINGS)
    assert found.names == NAMES
    assert "2 of 9 units left out" in found.warnings[0]
    assert "ASH, ADL" in found.warnings[0]
    assert "ADL" in build_animals(runs, "toy", UnitSettings(min_presence=0.25)).names


def test_gappy_and_constant_units_are_absent_and_short_gaps_filled():
    x = traces(7, 120, 3)
    x[0, :13] = np.nan  # 11 %
    x[1] = 4.0
    x[2, 50:60] = np.nan
    runs = [recording("a", NAMES, x), recording("b", NAMES)]
    found = build_animals(runs, "toy", UnitSettings(min_units=5))
    assert found.units.index[found.presence[0]].tolist() == NAMES[2:]
    assert found.presence[1].all()
    filled = found.traces[0, found.names.index("AVD"), 49:61]
    assert filled == pytest.approx(np.linspace(x[2, 49], x[2, 60], 12), abs=1e-4)
    assert "Up to 2 units count as absent in 1 of 2 recordings" in found.warnings[0]


def test_a_unit_that_is_constant_where_it_counts_is_absent():
    x = traces(7, 120, 3)
    x[4, :80] = 1.0
    stimulus = [("s", 10.0, 5.0)]
    runs = [
        recording("a", NAMES, x, events=stimulus),
        recording("b", NAMES, n_samples=70, events=stimulus),
    ]
    found = build_animals(runs, "toy", SETTINGS)
    assert found.clock == "shared"
    assert found.presence.tolist() == [[True] * 4 + [False] + [True] * 2, [True] * 7]


def test_regions_keep_the_order_of_their_atlas():
    order = [f"AAL-{k}" for k in range(9)]
    runs = [
        recording("a", [n for n in order if n not in ("AAL-0", "AAL-4", "AAL-5")], modality="fmri"),
        recording("b", [n for n in order if n != "AAL-4"], modality="fmri"),
        recording("c", order, modality="fmri"),
    ]
    found = build_animals(runs, "toy", SETTINGS)
    assert found.names == order
    assert found.noun == "ROI"


def test_many_units_are_drawn():
    names = [f"N{k}x" for k in range(40)]
    found = build_animals([recording("a", names)], "toy", UnitSettings(max_units=10))
    assert len(found.names) == 10
    assert found.names == sorted(found.names, key=names.index)
    assert "10 of 40 units drawn" in found.warnings[0]


def test_numbered_neurons_serve_within_a_session_only():
    numbers = [str(k) for k in range(8)]
    one = [recording("a", numbers, run="1"), recording("a", numbers, run="2")]
    assert build_animals(one, "toy", SETTINGS).traces.shape == (2, 8, 120)
    for other in (recording("b", numbers), recording("a", numbers, session="2")):
        with pytest.raises(UnfitRecordingError, match=r"\{connectome: false\}"):
            build_animals([one[0], other], "toy", SETTINGS)


def test_unfit_recordings_are_left_out_and_said():
    runs = [recording("a", NAMES), recording("b", NAMES, n_samples=40), recording("c", NAMES[:5])]
    found = build_animals(iter(runs), "toy", SETTINGS)
    assert found.subjects == ["a"]
    assert "sub-b has 40 frames" in found.warnings[0]
    assert "sub-c has 5 usable units" in found.warnings[1]
    silent = recording("d", NAMES)
    silent.signals = None
    for nothing, first in (
        (runs[1:], "sub-b has 40 frames"),
        ([silent], "no signals"),
        ([], "lock"),
    ):
        with pytest.raises(UnfitRecordingError, match=f"no recording of toy.*{first}"):
            build_animals(nothing, "toy", SETTINGS)


def test_too_few_common_units():
    runs = [recording(s, [f"{s}{n}" for n in NAMES]) for s in "ab"]
    with pytest.raises(UnfitRecordingError, match="share 0 units"):
        build_animals(runs, "toy", UnitSettings(min_presence=0.6))
    assert build_animals(runs, "toy", UnitSettings(min_presence=0.5)).presence.sum() == 14
    apart = [recording(s, [f"{s}{n}" for n in NAMES]) for s in "abcdefgh"]
    with pytest.raises(UnfitRecordingError, match=r"share [0-3] units"):  # few are drawn of each
        build_animals(apart, "toy", UnitSettings(min_presence=0, max_units=4, min_units=4))


def test_recordings_without_a_chosen_pair_are_left_out():
    odd = [*NAMES[:1], *(f"X{n}" for n in NAMES)]
    runs = [recording(s, NAMES) for s in "abcd"] + [recording("e", odd)]
    found = build_animals(runs, "toy", SETTINGS)
    assert found.recordings == [f"sub-{s}" for s in "abcd"]
    assert "sub-e" in found.warnings[-1]


def test_sampling_rates():
    with pytest.raises(UnfitRecordingError, match=r"1 Hz \(sub-a\) to 1.02 Hz \(sub-b\)"):
        build_animals(
            [recording("a", NAMES), recording("b", NAMES, sampling_rate=1.02)], "toy", SETTINGS
        )
    time = {rate: np.arange(1000) / rate for rate in (0.996, 1.0)}
    waves = {r: np.sin(t / 9 + np.arange(7)[:, None]).astype(np.float32) for r, t in time.items()}
    events = [("s", 100.0, 5.0), ("s", 900.0, 5.0)]
    runs = [
        recording(f"r{k}", NAMES, waves[r], sampling_rate=r, events=events)
        for k, r in enumerate(waves)
    ]
    found = build_animals(runs, "toy", SETTINGS)
    assert found.clock == "shared"
    assert found.sampling_rate == pytest.approx(0.998)
    assert found.traces[0] == pytest.approx(found.traces[1], abs=0.01)  # 4 s apart otherwise
    assert found.events["start"].tolist() == [100, 898]


PAIRS = {"AVAL": "AVAR", "AVBL": "AVBR", "RIML": "RIMR", "SMDL": "SMDR", "RIBL": "RIBR"}


def test_left_and_right_are_merged():
    both = [n for pair in PAIRS.items() for n in pair] + ["DVA"]
    x = traces(11, 120, 4)
    x[1] = 10 * x[0] + 3  # AVAR is brighter
    one = recording("a", both, x, homologues=PAIRS)
    other = recording("b", [n for n in both if n != "AVAL"], homologues=PAIRS)
    found = build_animals([one, other], "toy", UnitSettings(merge_homologues=True))
    assert found.names == ["AVA", "AVB", "RIM", "SMD", "RIB", "DVA"]
    assert found.merged["AVAL"] == found.merged["AVAR"] == "AVA"
    assert "DVA" not in found.merged
    assert found.presence.all()
    merged = [np.corrcoef(found.traces[0, 0], x[k])[0, 1] for k in (0, 1)]
    assert merged == pytest.approx([1, 1], abs=1e-6)
    alone = other.signals.sel(unit="AVAR").values
    assert np.corrcoef(found.traces[1, 0], alone)[0, 1] == pytest.approx(1, abs=1e-6)
    assert (found.units["homologue"] == "n/a").all()
    apart = build_animals([one, other], "toy", SETTINGS)
    assert apart.units.loc["AVAL", "homologue"] == "AVAR"
    assert apart.merged == {}


def test_a_weaker_side_counts_as_much():
    names = [n for pair in PAIRS.items() for n in pair]
    homologues = dict(list(PAIRS.items())[:1])
    x = traces(10, 500, 5)
    x[1] *= 100
    found = build_animals(
        [recording("a", names, x, homologues=homologues)],
        "toy",
        UnitSettings(merge_homologues=True, min_units=5),
    )
    scaled = [row / np.median(np.abs(row - np.median(row))) for row in x[:2]]
    assert np.corrcoef(found.traces[0, 0], scaled[0] + scaled[1])[0, 1] == pytest.approx(1)


def test_merging_without_pairs_is_said():
    found = build_animals([recording("a", NAMES)], "toy", UnitSettings(merge_homologues=True))
    assert found.names == NAMES
    assert "No left/right pairs" in found.warnings[0]


@given(st.integers(0, 10_000))
def test_gaps_are_filled_as_numpy_interpolates(seed):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((5, 30)).astype(np.float32)
    x[rng.random(x.shape) < rng.random()] = np.nan
    x[np.arange(5), rng.integers(0, 30, 5)] = 1.0
    known = np.isfinite(x)
    at = np.arange(30)
    expected = [np.interp(at, at[k], row[k]) for row, k in zip(x, known, strict=True)]
    filled = fill_gaps(x)
    assert filled.dtype == np.float32
    assert filled == pytest.approx(np.array(expected), abs=1e-6)


def test_equal_rates_are_left_alone():
    x = traces(3, 100)
    assert resampled(x, 4.0, 4.001) is x
    slower = resampled(x, 4.0, 3.97)
    assert slower.shape == (3, 99)
    expected = np.interp(np.arange(99) * 4 / 3.97, np.arange(100), x[1])
    assert slower[1] == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("order", ["fixed", "shuffled"])
def test_simulated_epochs_are_aligned_as_the_truth_says(tmp_path, order):
    settings = CalciumSimulation(
        n_animals=4, n_neurons=24, duration=100, n_communities=2, epoch_order=order,
        homologues=0.5, missing=0.25, seed=5,
    )  # fmt: skip
    write(settings, tmp_path)
    paths = sorted(p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*") if p.is_file())
    read = CalciumReadSettings()
    files = discover(paths, "calcium", read)
    recordings = [read_recording(SourceFiles("demo", tmp_path, f), "calcium", read) for f in files]
    data = sim_calcium(settings)
    found = build_animals(recordings, "demo", SETTINGS)
    assert found.subjects == animal_names(settings)
    place = [found.names.index(name) for name in data.names]
    assert np.array_equal(found.presence[:, place], data.presence)
    if order == "fixed":
        assert found.clock == "shared"
        assert np.array_equal(found.traces[:, place], data.traces, equal_nan=True)
        return
    assert found.clock == "events"
    assert found.events["trial_type"].tolist() == ["stimulus1", "stimulus2", "stimulus3"]
    assert np.array_equal(found.traces[:, place], data.aligned(), equal_nan=True)
    assert found.segments.tolist() == [[0, 133], [133, 266], [266, 399]]
    merged = build_animals(recordings, "demo", UnitSettings(merge_homologues=True))
    assert sorted(merged.names) == [f"N{k:02d}" for k in range(1, 13)]
    assert np.array_equal(
        merged.presence[:, np.argsort(merged.names)], data.presence.reshape(4, 12, 2).any(axis=2)
    )
