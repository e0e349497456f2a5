"""What is written of a dataset's connectome is read again as it was."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from neuropipe.connectome.arrays import group_arrays
from neuropipe.connectome.assembly import tensor_lengths
from neuropipe.connectome.readings import component_graphs
from neuropipe.connectome.result import GroupConnectome
from neuropipe.errors import ResultError
from neuropipe.results import Result
from tests.unit.connectome.result_builders import fitted


def written(kind, folder, **changed):
    animals, fit, found = fitted(kind)
    fit = replace(fit, **changed)
    Result(
        analysis="connectome",
        dataset="toy",
        recording="group",
        arrays=group_arrays(animals, fit, found),
        warnings=["a word"],
    ).write(folder)
    return animals, fit, found


@pytest.mark.parametrize("kind", ["shared", "own", "one"])
def test_factors_and_names_survive(kind, tmp_path):
    animals, fit, _ = written(kind, tmp_path / "out")
    group = GroupConnectome.read(tmp_path / "out")
    for name in ("pairs", "times", "animals", "slices", "weights", "evidence"):
        before, after = getattr(fit.factors, name), getattr(group.factors, name)
        np.testing.assert_allclose(after, before, rtol=1e-6, atol=1e-7)  # NaN stays NaN
    assert group.factors.own_clocks == (kind == "own")
    assert group.factors.error == pytest.approx(fit.factors.error)
    assert (group.names, group.recordings) == (animals.names, animals.recordings)
    assert group.subjects == animals.subjects
    assert np.array_equal(group.presence, animals.presence)
    assert np.array_equal(group.lengths, tensor_lengths(fit))
    assert group.seconds == pytest.approx(fit.source.frames / animals.sampling_rate)
    assert group.clock == animals.clock
    assert np.array_equal(group.windows["community"], [blocks.labels for blocks in fit.blocks])
    assert np.array_equal(group.windows["samples"], [window.samples for window in fit.windows])
    assert group.explained["own"].to_numpy() == pytest.approx(fit.explained.own)
    assert group.warnings == ["a word"]


def test_unidentified_pairs_stay_unknown(tmp_path):
    factors = fitted("shared")[1].factors
    pairs = factors.pairs.copy()
    pairs[[3, 40], [0, 1]] = np.nan
    written("shared", tmp_path / "out", factors=replace(factors, pairs=pairs))
    read = GroupConnectome.read(tmp_path / "out").factors
    assert np.array_equal(np.isnan(read.pairs), np.isnan(pairs))
    n_units = len(fitted("shared")[0].names)
    for before, after in zip(
        component_graphs(replace(factors, pairs=pairs), n_units),
        component_graphs(read, n_units),
        strict=True,
    ):
        np.testing.assert_allclose(after, before, rtol=1e-3, atol=1e-6)


def test_tables_keep_their_columns_and_events_are_in_seconds(tmp_path):
    animals, _, found = written("shared", tmp_path / "out")
    group = GroupConnectome.read(tmp_path / "out")
    assert list(group.tables["silencing"]["unit"]) == list(found.silencing["unit"])
    assert list(group.tables["motifs"]["is_motif"]) == list(found.motifs["is_motif"])
    members = group.tables["members"]
    first = members[members["motif"] == found.motifs["motif"][0]]
    assert list(first["unit"]) == found.motifs["members"][0]
    assert first["stability"].to_numpy() == pytest.approx(found.motifs["stability"][0])
    events = group.events_of("sub-a1")
    assert events["stop"].to_numpy() * animals.sampling_rate == pytest.approx(
        animals.events["stop"].to_numpy()
    )


def test_each_recording_has_its_own_events(tmp_path):
    animals, fit, found = fitted("own")
    events = fitted("shared")[0].events.assign(recording="sub-a2")
    result = Result(analysis="connectome", dataset="toy", recording="group")
    result.arrays = group_arrays(replace(animals, events=events), fit, found)
    result.write(tmp_path / "out")
    group = GroupConnectome.read(tmp_path / "out")
    assert len(group.events_of("sub-a2")) == len(events)
    assert group.events_of("sub-a1") is None


def test_without_events_and_motifs_nothing_is_made_up(tmp_path):
    animals, fit, found = fitted("own")
    bare = replace(found, motifs=found.motifs[:0], silencing=found.silencing[:0], homologues=None)
    tree = group_arrays(animals, fit, bare)
    assert not {"events", "atlas", "motifs", "members", "silencing", "rank"} & set(tree.children)
    Result(analysis="connectome", dataset="toy", recording="group", arrays=tree).write(
        tmp_path / "out"
    )
    group = GroupConnectome.read(tmp_path / "out")
    assert group.tables == {}
    assert group.events_of("sub-a1") is None


def test_another_result_is_refused(tmp_path):
    Result(analysis="quality", dataset="toy", recording="sub-a1").write(tmp_path / "out")
    with pytest.raises(ResultError, match="no connectome of a dataset"):
        GroupConnectome.read(tmp_path / "out")
    with pytest.raises(ResultError):
        GroupConnectome.read(tmp_path / "nothing")
