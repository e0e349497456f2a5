"""Methods say what was done under these settings, and cite it."""

from __future__ import annotations

from neuropipe.connectivity.data import usable_series
from neuropipe.connectivity.fit import fit_recording
from neuropipe.connectivity.settings import ConnectivitySettings
from neuropipe.connectivity.text import (
    REFERENCES,
    group_methods,
    recording_methods,
)
from neuropipe.results import cited
from tests.unit.connectivity.builders import recording, unit_table


def _recording_text(settings, **change):
    used = usable_series(recording(n_times=200, **change), settings)
    return recording_methods(used, fit_recording(used, settings), settings)


def test_recording_methods_follow_the_settings():
    shrunk = _recording_text(ConnectivitySettings(n_shuffles=99))
    assert "200 complete frames (200 s)" in shrunk
    assert "[Ledoit2004]" in shrunk
    assert "6 homologous pairs" in shrunk
    plain = _recording_text(ConnectivitySettings(n_shuffles=99, shrinkage="none"))
    assert "the sample covariance" in plain
    assert "Ledoit" not in plain
    bare = _recording_text(ConnectivitySettings(n_shuffles=99), units=unit_table(6)[[]])
    assert "homologous" not in bare
    assert "networks" not in bare


def test_group_methods_tell_families_from_subjects():
    subjects = group_methods(10, 12, 50, ConnectivitySettings())
    assert "[Efron1987]" in subjects
    assert "families" not in subjects
    assert "50 units" in subjects
    assert "likeness" not in group_methods(10, 12, 0, ConnectivitySettings())
    families = group_methods(10, 12, 50, ConnectivitySettings(group_column="clan"))
    assert "whole families (clan)" in families
    assert "Efron" not in families


def test_all_that_is_cited_is_known():
    for text in (
        _recording_text(ConnectivitySettings(n_shuffles=99)),
        group_methods(10, 12, 50, ConnectivitySettings()),
    ):
        assert cited(text, REFERENCES)
