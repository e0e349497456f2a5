"""Hypothesis strategies shared by tests."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from neuropipe.manifest import LockedFile, LockedRecording
from neuropipe.recording import (
    Recording,
    behavior_series,
    responses_array,
    signals_array,
    text_table,
)

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
names = st.text(LETTERS + "0123456789_+-", max_size=12).map(lambda tail: "n" + tail)
# Any printable text that HDF5 can store.
texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=20)
finite = st.floats(-1e6, 1e6, width=32)


@st.composite
def tables(draw: st.DrawFn, index: st.SearchStrategy[str], n_rows: int) -> pd.DataFrame:
    """A table with columns of every kind that recordings hold."""
    labels = draw(st.lists(index, min_size=n_rows, max_size=n_rows, unique=True))
    kinds = {
        "number": hnp.arrays(np.float64, n_rows, elements=finite | st.just(np.nan)),
        "count": hnp.arrays(np.int64, n_rows, elements=st.integers(-(2**40), 2**40)),
        "flag": hnp.arrays(np.bool_, n_rows),
        "text": st.lists(texts, min_size=n_rows, max_size=n_rows),
    }
    chosen = draw(st.lists(st.sampled_from(sorted(kinds)), unique=True))
    columns = {name: draw(kinds[name]) for name in chosen}
    return pd.DataFrame(columns, index=pd.Index(labels, dtype=object))


@st.composite
def recordings(draw: st.DrawFn) -> Recording:
    """Recordings of every modality with any of the optional groups."""
    modality = draw(st.sampled_from(["fmri", "calcium", "spikes", "images"]))
    n_units, n_times = draw(st.integers(1, 5)), draw(st.integers(2, 20))
    units = text_table(draw(tables(texts, n_units)), "unit")
    recording = Recording(
        dataset=draw(names), recording=draw(names), subject=draw(names), modality=modality,
        session=draw(st.just("") | names), species=draw(st.just("") | texts), units=units,
        participant=draw(st.dictionaries(names, finite | texts, max_size=3)),
        history=draw(st.lists(texts, max_size=3)),
    )  # fmt: skip
    if modality in ("fmri", "calcium"):
        values = draw(hnp.arrays(np.float32, (n_times, n_units), elements=finite | st.just(np.nan)))
        values[0, 0] = 1.0
        rate = draw(st.floats(0.1, 1000))
        start = draw(st.floats(0, 10))
        recording.signals = signals_array(values, rate, units.index, start=start, unit="dF/F")
        if draw(st.booleans()):
            recording.confounds = xr.Dataset({"global_signal": ("time", np.arange(n_times) * 0.5)})
    if modality == "spikes":
        times = np.sort(draw(hnp.arrays(np.float64, n_times, elements=st.floats(0, 1e4))))
        index = draw(hnp.arrays(np.int32, n_times, elements=st.integers(0, n_units - 1)))
        recording.spikes = xr.Dataset(
            {"spike_times": ("spike", times), "unit_index": ("spike", index)}
        )
    if modality == "images":
        n_stimuli, n_repeats = draw(st.integers(1, 4)), draw(st.integers(1, 3))
        shape = (n_repeats, n_stimuli, n_units)
        responses = draw(hnp.arrays(np.float32, shape, elements=finite))
        recording.responses = responses_array(responses, units.index, unit="spikes/s")
        recording.stimuli = text_table(draw(tables(texts, n_stimuli)), "stimulus")
    if draw(st.booleans()):
        onsets = draw(hnp.arrays(np.float64, 3, elements=st.floats(0, 100)))
        events = pd.DataFrame({"onset": onsets, "duration": [0.0, 1.5, np.nan]})
        recording.events = text_table(events.assign(trial_type=["a", "b", None]), "event")
    if draw(st.booleans()):
        series = {"speed": draw(hnp.arrays(np.float64, 4, elements=finite | st.just(np.nan)))}
        recording.behavior = {"tracking": behavior_series(series, np.arange(4) / 30)}
    return recording


locked_files = st.builds(
    LockedFile,
    role=st.sampled_from(["data", "events", "sidecar", "mask"]),
    path=st.lists(names, min_size=1, max_size=3).map("/".join),
    uri=st.just("") | names.map(lambda name: f"https://example.org/{name}?x=1&y=%20"),
    bytes=st.integers(0, 2**50),
    sha256=st.just("") | st.text("0123456789abcdef", min_size=64, max_size=64),
)
locked_recordings = st.lists(
    st.builds(
        LockedRecording,
        recording=names,
        subject=names,
        session=st.just("") | names,
        task=st.just("") | names,
        run=st.just("") | names,
        files=st.lists(locked_files, min_size=1, max_size=4).map(tuple),
    ),
    min_size=1,
    max_size=5,
    unique_by=lambda found: found.recording,
)
