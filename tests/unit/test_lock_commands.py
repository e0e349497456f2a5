"""`neuropipe manifest lock|check|add`, and the sources that must run to be locked."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from neuropipe.errors import FetchError, LockError, ManifestError
from neuropipe.ingest.fetch import fetch_files
from neuropipe.lock import add_command, check_command, check_dataset, lock_command, lock_dataset
from neuropipe.manifest import Dataset, load_manifest, read_lock

MANIFEST = """\
datasets:
  one: &common
    title: T
    modality: spikes
    source: {path: data}
    license: CC0-1.0
    citation: doi
  two:
    title: T
    modality: spikes
    source: {path: data/sub-A}
    license: CC0-1.0
    citation: doi
    enabled: false
""".replace(" &common", "")


@pytest.fixture
def study(tmp_path: Path) -> Path:
    for name in ("A", "B"):
        path = tmp_path / f"data/sub-{name}/sub-{name}_ecephys.nwb"
        path.parent.mkdir(parents=True)
        path.write_text(name)
    (tmp_path / "m.yaml").write_text(MANIFEST)
    return tmp_path


def lock_table(study: Path, name: str) -> Path:
    return study / "config" / "recordings" / f"{name}.tsv"


class TestLock:
    def test_by_name_even_if_disabled(self, study, capsys):
        lock_command(manifest=study / "m.yaml", names=["two"], all_=False)
        assert len(read_lock(lock_table(study, "two"), "two")) == 1
        assert "two: 1 recordings of 1 subjects, 1 files" in capsys.readouterr().out

    def test_all_that_are_enabled(self, study):
        lock_command(manifest=study / "m.yaml", names=[], all_=True)
        assert lock_table(study, "one").exists()
        assert not lock_table(study, "two").exists()

    @pytest.mark.parametrize(("names", "words"), [([], "no dataset is named"), (["x"], "'x'")])
    def test_what_is_not_there(self, study, names, words):
        with pytest.raises(ManifestError, match=words):
            lock_command(manifest=study / "m.yaml", names=names, all_=False)


class TestCheck:
    def test_as_locked(self, study, capsys):
        lock_command(manifest=study / "m.yaml", names=["one", "two"], all_=False)
        capsys.readouterr()
        check_command(manifest=study / "m.yaml", names=[])
        assert capsys.readouterr().out == "one: as locked\n"
        check_command(manifest=study / "m.yaml", names=["two", "one"])
        assert capsys.readouterr().out == "two: as locked\none: as locked\n"

    def test_every_difference_is_printed_and_the_status_is_2(self, study, capsys):
        lock_command(manifest=study / "m.yaml", names=["one", "two"], all_=False)
        (study / "data/sub-A/sub-A_ecephys.nwb").write_text("changed")
        capsys.readouterr()
        with pytest.raises(LockError, match="2 locks differ") as caught:
            check_command(manifest=study / "m.yaml", names=["one", "two"])
        assert caught.value.exit_status == 2
        assert capsys.readouterr().out.count("has 7 bytes, 1 in the lock") == 2

    def test_a_missing_lock_does_not_hide_the_others(self, study, capsys):
        lock_command(manifest=study / "m.yaml", names=["two"], all_=False)
        with pytest.raises(LockError, match="manifest lock one"):
            check_command(manifest=study / "m.yaml", names=["one", "two"])
        assert "two: as locked" in capsys.readouterr().out


class TestAdd:
    def test_a_path_is_relative_to_where_it_is_typed(self, study, monkeypatch):
        monkeypatch.chdir(study / "data")
        add_command(
            manifest=study / "m.yaml", name="three", source="sub-B", title="B",
            license_="MIT", citation="us",
        )  # fmt: skip
        found = load_manifest(study / "m.yaml").datasets["three"]
        assert found.source.path == "data/sub-B"
        assert found.modality == "spikes"
        (recording,) = read_lock(lock_table(study, "three"), "three")
        assert recording.files[0].sha256 == hashlib.sha256(b"B").hexdigest()


def dataset(source: dict, modality: str, **changes) -> Dataset:
    values = {"title": "T", "license": "CC0-1.0", "citation": "doi", "modality": modality}
    return Dataset(**values, source=source, **changes)


def places(folder: Path) -> dict:
    return {
        "manifest_folder": folder, "locks": folder / "locks", "resources": folder / "resources",
    }  # fmt: skip


class TestSimulated:
    def test_names_only(self, tmp_path, monkeypatch):
        asked = []

        def simulate(kind: str, text: str, output: Path) -> None:
            asked.append((kind, json.loads(text)))
            for i in range(2):
                (output / f"sub-{i}").mkdir(parents=True)
                (output / f"sub-{i}" / f"sub-{i}_ecephys.nwb").write_text("random")

        monkeypatch.setattr("neuropipe.simulate.commands.simulate", simulate)
        source = dataset({"simulate": "spikes", "settings": {"seed": 7}}, "spikes")
        found = read_lock(lock_dataset("sim", source, **places(tmp_path)), "sim")
        assert asked == [("spikes", {"seed": 7})]
        assert [r.recording for r in found] == ["sub-0", "sub-1"]
        assert all((f.uri, f.bytes, f.sha256) == ("", 0, "") for r in found for f in r.files)
        assert sorted(p.name for p in tmp_path.iterdir()) == ["locks"]
        assert check_dataset("sim", source, **places(tmp_path)) == []


class TestNilearn:
    """A fetcher of the layout of nilearn's, whose images the BIDS reader then finds."""

    @pytest.fixture(autouse=True)
    def fake(self, monkeypatch):
        self.fill, self.calls = 1, 0

        def fetch(n_subjects, data_dir, verbose):
            self.calls += 1
            folder = Path(data_dir) / "development_fmri"
            folder.mkdir(parents=True, exist_ok=True)
            names = [f"sub-pixar{i:03d}" for i in range(n_subjects)]
            funcs, confounds = [], []
            for name in names:
                funcs.append(folder / f"{name}_task-pixar_space-X_desc-preproc_bold.nii.gz")
                image = nib.Nifti1Image(np.full((2, 2, 2, 5), self.fill, np.int16), np.eye(4))
                image.to_filename(funcs[-1])
                confounds.append(folder / f"{name}_task-pixar_desc-confounds_regressors.tsv")
                confounds[-1].write_text("trans_x\n" + "0.1\n" * 5)
            columns = ["Age", "AgeGroup", "Child_Adult", "Gender", "Handedness"]
            table = pd.DataFrame({"participant_id": names} | dict.fromkeys(columns, "x"))

            class Bunch:
                func, t_r, phenotypic = list(map(str, funcs)), 2, table

            Bunch.confounds = list(map(str, confounds))
            return Bunch

        monkeypatch.setattr("nilearn.datasets.fetch_development_fmri", fetch)

    def lock(self, folder: Path):
        source = dataset({"nilearn": "development_fmri", "n_subjects": 2}, "fmri")
        return source, read_lock(lock_dataset("dev", source, **places(folder)), "dev")

    def test_the_reader_finds_images_and_confounds(self, tmp_path):
        source, found = self.lock(tmp_path)
        assert [r.subject for r in found] == ["pixar000", "pixar001"]
        for recording in found:
            assert {"data", "sidecar", "confounds", "participants"} <= {
                f.role for f in recording.files
            }
            assert {f.uri for f in recording.files} == {"nilearn:development_fmri?n_subjects=2"}
        assert check_dataset("dev", source, **places(tmp_path)) == []

    def test_another_machine_gets_the_same(self, tmp_path):
        _, found = self.lock(tmp_path)
        for recording in found:
            fetch_files(recording.files, tmp_path / "there")
        assert self.calls == 2  # once to lock, once for both recordings
        assert (tmp_path / "there/sub-pixar001/func").is_dir()

    def test_other_bytes_are_refused(self, tmp_path):
        _, found = self.lock(tmp_path)
        self.fill = 2
        with pytest.raises(FetchError, match="differs from the lock"):
            fetch_files(found[0].files, tmp_path / "there")
