from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pynwb.base import Images
from pynwb.epoch import TimeIntervals
from pynwb.image import GrayscaleImage, ImageSeries, IndexSeries
from pynwb.misc import AnnotationSeries, IntervalSeries

from neuropipe.errors import InputError
from neuropipe.ingest.nwb import open_nwb
from neuropipe.ingest.nwb_events import read_events, read_stimuli
from neuropipe.ingest.settings import SpikesReadSettings
from tests.nwb_files import add_series, built


def events_of(path, **options):
    with open_nwb(path) as nwb:
        return read_events(nwb, SpikesReadSettings(**options), "f")


def trials(nwb, onsets, durations, **columns):
    for name in columns:
        nwb.add_trial_column(name, name)
    for i, (onset, duration) in enumerate(zip(onsets, durations, strict=True)):
        values = {name: column[i] for name, column in columns.items()}
        nwb.add_trial(start_time=float(onset), stop_time=float(onset + duration), **values)


@given(st.data())
@settings(max_examples=8, deadline=None)
def test_trials_read_back(tmp_path_factory, data):
    n = data.draw(st.integers(1, 6))
    onsets = data.draw(st.lists(st.floats(0, 1e4), min_size=n, max_size=n))
    durations = data.draw(st.lists(st.floats(0, 100), min_size=n, max_size=n))
    kinds = data.draw(st.lists(st.sampled_from(["go", "nogo", "é"]), min_size=n, max_size=n))
    path = built(
        tmp_path_factory.mktemp("e") / "a.nwb",
        lambda nwb: trials(nwb, onsets, durations, condition=kinds, number=list(range(n))),
    )
    events, _ = events_of(path)
    order = np.argsort(onsets, kind="stable")
    np.testing.assert_allclose(events["onset"], np.array(onsets)[order])
    np.testing.assert_allclose(events["duration"], np.array(durations)[order], atol=1e-9)
    assert events["trial_type"].tolist() == [kinds[i] for i in order]
    assert events["number"].tolist() == order.tolist()
    assert set(events["table"]) == {"trials"}


def test_tables_are_joined_and_sorted(tmp_path):
    def build(nwb):
        trials(nwb, [1.0, 5.0], [1, 1], side=["l", "r"])
        nwb.add_epoch(0.0, 10.0, ["all"])
        table = TimeIntervals(name="cues", description="cues")
        table.add_column("code", "code")
        table.add_row(start_time=2.0, stop_time=2.5, code=7)
        nwb.add_time_intervals(table)
        nwb.create_processing_module("behavior", "b").add(
            TimeIntervals(name="empty", description="none")
        )

    events, notes = events_of(built(tmp_path / "a.nwb", build))
    assert events["table"].tolist() == ["epochs", "trials", "cues", "trials"]
    assert events["trial_type"].tolist() == ["epochs", "trials", "cues", "trials"]
    assert events["side"].tolist() == ["n/a", "l", "n/a", "r"]
    assert events["code"].tolist()[2] == 7
    assert "interval table empty is empty" in notes
    assert any("epochs: columns left out (" in note and "tags" in note for note in notes)


def test_a_column_becomes_the_trial_type(tmp_path):
    path = built(tmp_path / "a.nwb", lambda nwb: trials(nwb, [0, 1], [1, 1], stim=[3.0, 4.0]))
    assert events_of(path, trial_type="stim")[0]["trial_type"].tolist() == ["3", "4"]
    with pytest.raises(InputError, match="no interval table has the column sitm"):
        events_of(path, trial_type="sitm")


def test_impossible_rows_are_noted(tmp_path):
    def build(nwb):
        trials(nwb, [0.0, 3.0, np.nan], [1, -2, 1])

    events, notes = events_of(built(tmp_path / "a.nwb", build))
    assert events["onset"].tolist() == [0, 3]
    assert np.isnan(events["duration"].iloc[1])
    assert any("1 rows stop before they start" in note for note in notes)
    assert any("1 rows without a believable onset" in note for note in notes)


def test_codes_are_read_where_no_table_stands(tmp_path):
    times = np.array([-1.5e9, 0.0, 0.1, 2.0, 2.2, 7.0])

    def codes(nwb):
        add_series(nwb, "ttl", np.array([0, 61, 1, 2, 1, 2], np.int8), timestamps=times)
        add_series(nwb, "speed", np.arange(6, dtype=np.int16), timestamps=np.arange(6) / 10)

    def both(nwb):
        codes(nwb)
        trials(nwb, [0.0], [1])

    events, notes = events_of(built(tmp_path / "a.nwb", codes))
    assert events["trial_type"].tolist() == ["61", "1", "2", "1", "2"]
    assert "ttl: 1 rows without a believable onset left out" in notes
    assert events_of(tmp_path / "a.nwb", event_series=[])[0] is None
    events, notes = events_of(built(tmp_path / "b.nwb", both))
    assert events["table"].tolist() == ["trials"]
    assert any("event series ttl not read" in note for note in notes)
    assert len(events_of(tmp_path / "b.nwb", event_series=["ttl"])[0]) == 6
    with pytest.raises(InputError, match="no event series TTL; expected one of ttl"):
        events_of(tmp_path / "b.nwb", event_series=["TTL"])


def test_annotations_and_intervals_become_events(tmp_path):
    def build(nwb):
        nwb.add_acquisition(
            AnnotationSeries(name="notes", data=["drug", "wash"], timestamps=[5.0, 9.0])
        )
        nwb.add_acquisition(
            IntervalSeries(
                name="laser",
                data=np.array([1, -1, 2, 1, -2], np.int8),
                timestamps=[1.0, 1.5, 2.0, 3.0, 6.0],
            )
        )

    events, _ = events_of(built(tmp_path / "a.nwb", build))
    laser = events[events["table"] == "laser"]
    assert laser["onset"].tolist() == [1, 2, 3]
    np.testing.assert_array_equal(laser["duration"], [0.5, 4, np.nan])
    assert events[events["table"] == "notes"]["trial_type"].tolist() == ["drug", "wash"]


def test_shown_images_become_events_and_stimuli(tmp_path):
    def build(nwb, indices=(0, 1, 1)):
        images = [GrayscaleImage(name=f"im{i}", data=np.zeros((4, 6))) for i in range(2)]
        shown = Images(name="shown", images=images, description="images")
        nwb.add_stimulus_template(shown)
        nwb.add_stimulus(
            IndexSeries(
                name="order",
                data=np.array(indices, np.uint32),
                unit="N/A",
                indexed_images=shown,
                timestamps=[0.0, 1.0, 2.0],
            )
        )

    path = built(tmp_path / "a.nwb", build)
    events, _ = events_of(path)
    assert events["stimulus"].tolist() == ["im0", "im1", "im1"]
    with open_nwb(path) as nwb:
        stimuli = read_stimuli(nwb, tmp_path, ".")
    assert stimuli.index.tolist() == ["im0", "im1"]
    assert stimuli.loc["im0", ["path", "width", "height"]].tolist() == ["", 6.0, 4.0]
    bad = built(tmp_path / "b.nwb", lambda nwb: build(nwb, (0, 1, 5)))
    with pytest.raises(InputError, match="shows image 5; expected 0 to 1"):
        events_of(bad)


def test_external_files_are_named_but_never_followed_outside(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a.mp4").write_text("x")
    (tmp_path / "secret.mp4").write_text("x")
    names = ["a.mp4", "absent.mp4", "../secret.mp4", "/etc/passwd", "C:\\x.avi"]

    def build(nwb):
        nwb.add_stimulus(
            ImageSeries(
                name="film",
                external_file=names,
                format="external",
                timestamps=np.arange(5.0),
                starting_frame=list(range(5)),
                unit="n.a.",
            )
        )

    with open_nwb(built(tmp_path / "sub" / "f.nwb", build)) as nwb:
        stimuli = read_stimuli(nwb, tmp_path, "sub")
    assert stimuli.index.tolist() == names
    assert stimuli["path"].tolist() == ["sub/a.mp4", "", "", "", ""]


def test_a_file_without_events_or_stimuli(tmp_path):
    path = built(tmp_path / "a.nwb", lambda nwb: None)
    assert events_of(path) == (None, [])
    with open_nwb(path) as nwb:
        assert read_stimuli(nwb, tmp_path, ".") is None
