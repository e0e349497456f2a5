"""Commands write whole result folders that say what they hold, or one line and nothing."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from neuropipe.connectome.commands import connectome_group, connectome_recording
from neuropipe.connectome.text import REFERENCES
from neuropipe.errors import InputError, ResultError, SettingsError, UnfitRecordingError
from neuropipe.manifest import LockedFile, LockedRecording, write_lock
from neuropipe.results import Result
from tests.unit.connectome.builders import recording
from tests.unit.connectome.result_builders import FAST, recordings

TEXT = json.dumps(FAST)


def locked(found, folder: Path) -> Path:
    """Write recordings and their lock beside them."""
    folder.mkdir(exist_ok=True)
    rows = []
    for one in found:
        one.write(folder / f"{one.recording}.nc")
        file = LockedFile("data", "x.nwb")
        rows.append(LockedRecording(one.recording, one.subject, one.session, "", "", (file,)))
    write_lock(folder / "lock.tsv", rows)
    return folder / "lock.tsv"


def run_group(lock: Path, output: Path, settings: str = TEXT, wiring: tuple[Path, ...] = ()):
    connectome_group(
        lock=lock,
        dataset="toy",
        recordings=lock.parent,
        settings=settings,
        output=output,
        wiring=wiring,
    )


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> Path:
    """Folder of four recordings, one of them unfit, with wiring, and their connectome."""
    folder = tmp_path_factory.mktemp("study")
    found = [*recordings(), recording("short", ["N01L", "N01R"], n_samples=80)]
    lock = locked(found, folder / "recordings")
    names = [f"N{k:02d}{side}" for k in range(1, 13) for side in "LR"]
    rng = np.random.default_rng(0)
    rows = [f"{a},{b},{rng.integers(1, 9)}" for a in names for b in names if rng.random() < 0.3]
    (folder / "wiring.csv").write_text("\n".join(["pre,post,weight", *rows]) + "\n")
    run_group(lock, folder / "group", wiring=(folder / "wiring.csv",))
    return folder


def test_a_dataset_to_its_result_folder(study):
    result = Result.read(study / "group")
    assert (result.analysis, result.recording, result.subject) == ("connectome", "group", "")
    assert result.title == "Dynamic connectome of neurons"
    assert result.metric("affinity explained").verdict == "good"
    assert result.metric("correlation with wiring").n == 24
    assert result.facts["recordings"] == "4"
    assert any("sub-short" in words for words in result.warnings)
    assert set(result.references) <= set(REFERENCES)
    assert "Maslov2002" in result.references
    inputs = [entry["path"] for entry in result.provenance["inputs"]]
    assert str(study / "wiring.csv") in inputs
    assert result.provenance["settings"]["wiring"] == [str(study / "wiring.csv")]
    names = [figure.name for figure in result.figures]
    assert len(set(names)) == len(names) >= 4
    assert all(figure.caption for figure in result.figures)
    assert result.arrays["factors/affinity"].shape == (2, 24, 24)


def test_a_recording_to_its_result_folder(study, tmp_path):
    connectome_recording(
        recording="sub-a2", group=study / "group", settings=TEXT, output=tmp_path / "out"
    )
    result = Result.read(tmp_path / "out")
    assert (result.dataset, result.subject) == ("toy", "a2")
    assert result.metrics[0].name == "explained by other recordings"
    assert result.metrics[0].better == "higher"
    assert result.figures
    assert result.provenance["inputs"][0]["path"].endswith("group/result.nc")


def test_the_same_seed_gives_the_same_bytes(study, tmp_path):
    run_group(study / "recordings" / "lock.tsv", tmp_path / "again", wiring=(study / "wiring.csv",))
    for part in ("metrics.json", "section.json"):
        assert (tmp_path / "again" / part).read_bytes() == (study / "group" / part).read_bytes()


def test_a_recording_that_was_left_out_is_told_why(study, tmp_path):
    with pytest.raises(UnfitRecordingError, match=r"sub-short is no part.*2 usable units"):
        connectome_recording(
            recording="sub-short", group=study / "group", settings=TEXT, output=tmp_path / "out"
        )
    with pytest.raises(ResultError):
        connectome_recording(
            recording="sub-a1", group=study / "nothing", settings=TEXT, output=tmp_path / "out"
        )
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ('{"n_shifts": 3}', "n_shifts"),
        ('{"factorization": {"rank": 0}}', "rank"),
        ('{"affinity": {"kind": "spearman"}}', "kind"),
        ("{", "JSON"),
    ],
)
def test_wrong_settings_are_one_line_and_leave_nothing(study, tmp_path, settings, word):
    with pytest.raises(SettingsError, match=word) as caught:
        run_group(study / "recordings" / "lock.tsv", tmp_path / "out", settings)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_numbered_neurons_of_several_subjects_name_the_way_out(tmp_path):
    found = [recording(subject, [str(k) for k in range(8)]) for subject in "ab"]
    lock = locked(found, tmp_path / "recordings")
    with pytest.raises(UnfitRecordingError, match=r"analyses: \{connectome: false\}") as caught:
        run_group(lock, tmp_path / "out")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_wiring_of_other_units_is_refused(study, tmp_path):
    (tmp_path / "other.csv").write_text("pre,post,weight\nAVAL,AVAR,3\n")
    (tmp_path / "broken.csv").write_text("pre,post,weight\nAVAL,AVAR,many\n")
    lock = study / "recordings" / "lock.tsv"
    with pytest.raises(UnfitRecordingError, match="names 0 of 24 units"):
        run_group(lock, tmp_path / "out", wiring=(tmp_path / "other.csv",))
    with pytest.raises(InputError, match=r"broken\.csv"):
        run_group(lock, tmp_path / "out", wiring=(tmp_path / "broken.csv",))
    assert not (tmp_path / "out").exists()
