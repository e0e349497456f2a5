"""Locks: complete, reproducible, honest about changes; the manifest grows without losing a word."""

from __future__ import annotations

import hashlib
import os
from dataclasses import replace
from pathlib import Path

import h5py
import pytest
import yaml
from hypothesis import given, settings

from neuropipe.errors import FetchError, InputError, LockError, ManifestError, NeuropipeError
from neuropipe.fingerprint import sha256_tree
from neuropipe.ingest.fetch import fetch_files
from neuropipe.ingest.web import Retries
from neuropipe.lock.add import add_dataset, guess_modality, parse_source
from neuropipe.lock.check import check_dataset, compare
from neuropipe.lock.local import list_files
from neuropipe.lock.resolve import MEMBER, dataset_root, lock_dataset
from neuropipe.manifest import Dataset, LockedFile, load_manifest, read_lock
from tests.servers import Page, serving
from tests.strategies import locked_recordings

FAST = Retries(attempts=2, backoff=0.01, timeout=2.0)
FILES = {
    "sub-A/sub-A_ses-1_ecephys.nwb": b"aa",
    "sub-A/sub-A_ses-2_ecephys.nwb": b"aaa",
    "sub-B/sub-B_ses-1_ecephys.nwb": b"bbbb",
    "README": b"hello",
}


def write_tree(root: Path, files: dict[str, bytes] = FILES) -> Path:
    for path, body in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(body)
    return root


def dataset(source: dict, modality: str = "spikes", **changes) -> Dataset:
    values = {"title": "T", "license": "CC0-1.0", "citation": "doi", "modality": modality}
    return Dataset(**values, source=source, **changes)


def places(folder: Path) -> dict:
    return {
        "manifest_folder": folder, "locks": folder / "locks", "resources": folder / "resources",
        "retries": FAST,
    }  # fmt: skip


def lock(folder: Path, source: dict, modality: str = "spikes", **changes):
    path = lock_dataset("set", dataset(source, modality, **changes), **places(folder))
    return read_lock(path, "set")


def check(folder: Path, source: dict, modality: str = "spikes") -> list[str]:
    return check_dataset("set", dataset(source, modality), **places(folder))


def sha(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


@pytest.fixture
def archive():
    with serving() as found:
        yield found


class TestListing:
    def test_sorted_without_hidden_files(self, tmp_path):
        write_tree(tmp_path, {"b": b"", "a/c": b"", ".git/x": b"", "a/.datalad/y": b"", ".z": b""})
        assert list_files(tmp_path) == ["a/c", "b"]

    def test_a_single_file(self, tmp_path):
        write_tree(tmp_path)
        assert list_files(tmp_path / "README") == ["README"]

    def test_links_are_followed(self, tmp_path):
        write_tree(tmp_path / "elsewhere")
        (tmp_path / "root").mkdir()
        (tmp_path / "root/linked").symlink_to(tmp_path / "elsewhere/sub-A")
        (tmp_path / "root/one").symlink_to(tmp_path / "elsewhere/README")
        assert len(list_files(tmp_path / "root")) == 3

    def test_one_folder_under_two_names_is_no_loop(self, tmp_path):
        write_tree(tmp_path, {"a/x": b""})
        (tmp_path / "b").symlink_to("a")
        assert list_files(tmp_path) == ["a/x", "b/x"]

    @pytest.mark.parametrize("target", ["..", ".", "../sub-A"])
    def test_loops_are_refused(self, tmp_path, target):
        write_tree(tmp_path)
        (tmp_path / "sub-A/loop").symlink_to(target)
        with pytest.raises(InputError, match="link to a folder above it"):
            list_files(tmp_path)

    @pytest.mark.parametrize("target", ["nowhere", "broken"])
    def test_broken_links_are_refused(self, tmp_path, target):
        write_tree(tmp_path)
        (tmp_path / "broken").symlink_to(target)
        with pytest.raises(InputError, match="datalad get"):
            list_files(tmp_path)

    @pytest.mark.parametrize("name", ["a\nb.nwb", "a\tb.nwb", "a\\b.nwb", "a\x1b[31m.nwb"])
    def test_unsafe_names_are_refused_in_one_line(self, tmp_path, name):
        write_tree(tmp_path, {name: b"x"})
        with pytest.raises(InputError) as caught:
            list_files(tmp_path)
        assert "\n" not in str(caught.value)

    def test_nothing_there(self, tmp_path):
        with pytest.raises(InputError, match="does not exist"):
            list_files(tmp_path / "missing")
        with pytest.raises(InputError, match="holds no files"):
            list_files(tmp_path)

    def test_pipes_are_skipped(self, tmp_path):
        write_tree(tmp_path)
        os.mkfifo(tmp_path / "pipe.nwb")
        assert "pipe.nwb" not in list_files(tmp_path)


class TestLocal:
    def test_every_recording_with_size_and_checksum(self, tmp_path):
        write_tree(tmp_path / "data")
        found = lock(tmp_path, {"path": "data"})
        assert [(r.subject, r.session) for r in found] == [("A", "1"), ("A", "2"), ("B", "1")]
        for recording in found:
            (file,) = recording.files
            assert file == LockedFile(
                "data", file.path, "", len(FILES[file.path]), sha(FILES[file.path])
            )

    def test_the_same_twice(self, tmp_path):
        write_tree(tmp_path / "data")
        lock(tmp_path, {"path": "data"})
        first = (tmp_path / "locks/set.tsv").read_bytes()
        lock(tmp_path, {"path": str(tmp_path / "data")})
        assert (tmp_path / "locks/set.tsv").read_bytes() == first

    def test_a_single_file(self, tmp_path):
        write_tree(tmp_path / "data")
        source = {"path": "data/sub-B/sub-B_ses-1_ecephys.nwb"}
        (recording,) = lock(tmp_path, source)
        assert recording.files[0].path == "sub-B_ses-1_ecephys.nwb"
        root = dataset_root(dataset(source), "set", tmp_path, tmp_path / "resources")
        assert (root / recording.files[0].path).read_bytes() == b"bbbb"

    def test_patterns_choose(self, tmp_path):
        write_tree(tmp_path / "data")
        source = {"path": "data", "include": ["sub-A/*"], "exclude": ["*ses-2*"]}
        assert [r.recording for r in lock(tmp_path, source)] == ["sub-A_ses-1"]
        with pytest.raises(InputError, match="none of them chosen"):
            lock(tmp_path, source | {"include": ["sub-C/*"]})

    def test_a_folder_is_one_file(self, tmp_path, monkeypatch):
        write_tree(tmp_path / "data", {"s1/images/1.jpg": b"1", "s1/images/2.jpg": b"22"})
        found = [locked("s1", LockedFile("images", "s1/images"))]
        monkeypatch.setattr("neuropipe.lock.resolve.discover", lambda *_: found)
        (recording,) = lock(tmp_path, {"path": "data"}, "images")
        assert recording.files[0].bytes == 3
        assert recording.files[0].sha256 == sha256_tree(tmp_path / "data/s1/images")

    def test_an_old_lock_stays_when_locking_fails(self, tmp_path):
        write_tree(tmp_path / "data")
        lock(tmp_path, {"path": "data"})
        with pytest.raises(InputError):
            lock(tmp_path, {"path": "gone"})
        assert len(read_lock(tmp_path / "locks/set.tsv", "set")) == 3

    def test_wrong_reading_options_are_named(self, tmp_path):
        write_tree(tmp_path / "data")
        with pytest.raises(NeuropipeError, match="read settings of set: colour"):
            lock(tmp_path, {"path": "data"}, read={"colour": 1})

    def test_roots(self, tmp_path):
        def root(source):
            return dataset_root(dataset(source), "set", tmp_path, tmp_path / "r")

        assert root({"path": "x"}) == tmp_path / "x"
        assert root({"path": "/x"}) == Path("/x")
        assert root({"dandi": "000128"}) == tmp_path / "r/set"


class TestCheck:
    def test_an_untouched_dataset(self, tmp_path):
        write_tree(tmp_path / "data")
        lock(tmp_path, {"path": "data"})
        assert check(tmp_path, {"path": "data"}) == []

    def test_every_difference_is_named(self, tmp_path):
        data = write_tree(tmp_path / "data")
        lock(tmp_path, {"path": "data"})
        (data / "sub-A/sub-A_ses-1_ecephys.nwb").write_bytes(b"zz")
        (data / "sub-A/sub-A_ses-2_ecephys.nwb").write_bytes(b"longer")
        (data / "sub-B/sub-B_ses-1_ecephys.nwb").unlink()
        write_tree(data, {"sub-C/sub-C_ecephys.nwb": b"c"})
        assert check(tmp_path, {"path": "data"}) == [
            "sub-A_ses-1: sub-A/sub-A_ses-1_ecephys.nwb has other bytes of the same size than in"
            " the lock",
            "sub-A_ses-2: sub-A/sub-A_ses-2_ecephys.nwb has 6 bytes, 3 in the lock",
            "sub-B_ses-1: the recording is missing from the source",
            "sub-C: the source has this recording, the lock has not",
        ]

    def test_without_a_lock(self, tmp_path):
        write_tree(tmp_path / "data")
        with pytest.raises(LockError, match="neuropipe manifest lock set"):
            check(tmp_path, {"path": "data"})

    @given(locked_recordings)
    @settings(deadline=None)
    def test_nothing_differs_from_itself(self, recordings):
        assert compare(recordings, recordings) == []

    @given(locked_recordings)
    @settings(deadline=None)
    def test_any_single_change_is_seen(self, recordings):
        one, *rest = recordings
        assert len(compare(recordings, rest)) == 1
        assert len(compare(rest, recordings)) == 1
        renamed = replace(one, subject=one.subject + "x")
        assert len(compare(recordings, [renamed, *rest])) == 1
        other = replace(one, files=(replace(one.files[0], path="x/../y"), *one.files[1:]))
        assert compare(recordings, [other, *rest])


def locked(name: str, *files: LockedFile):
    from neuropipe.manifest import LockedRecording

    return LockedRecording(name, name, "", "", "", files)


ASSETS = {f"sub-{i}/sub-{i}_ecephys.nwb": bytes([65 + i]) * (i + 1) for i in range(5)}


class TestRemote:
    def dandi(self, archive, **changes) -> dict:
        return {"dandi": "000128", "endpoint": f"{archive.url}/api"} | changes

    def openneuro(self, archive) -> dict:
        return {"openneuro": "ds000105", "endpoint": f"{archive.url}/bucket"}

    def test_dandi_is_locked_without_a_download(self, archive, tmp_path):
        archive.serve_dandi("000128", ASSETS)
        found = lock(tmp_path, self.dandi(archive))
        assert [r.files[0].sha256 for r in found] == [sha(body) for body in ASSETS.values()]
        assert not any(path.startswith("/blobs") for _, path, _ in archive.requests)
        fetch_files(found[0].files, tmp_path / "resources/set", retries=FAST)
        assert (tmp_path / "resources/set" / found[0].files[0].path).read_bytes() == b"A"
        assert check(tmp_path, self.dandi(archive)) == []

    def test_a_digest_still_missing_is_measured(self, archive, tmp_path):
        assets = archive.serve_dandi("000128", ASSETS)
        assets[0]["metadata"]["digest"] = {}
        found = lock(tmp_path, self.dandi(archive))
        assert found[0].files[0].sha256 == sha(b"A")
        assert len(archive.asked("/blobs/0")) == 1
        lock(tmp_path, self.dandi(archive))  # what was loaded after the server's date is kept
        assert len(archive.asked("/blobs/0")) == 1

    def test_openneuro_uses_md5_and_measures_multipart(self, archive, tmp_path):
        path = "sub-0/sub-0_ecephys.nwb"
        etag = {path.replace("/", "_").replace(".", "_"): "0" * 32 + "-3"}
        archive.serve_s3("ds000105", ASSETS, **etag)
        found = lock(tmp_path, self.openneuro(archive))
        assert found[0].files[0].sha256 == sha(b"A")
        assert all(r.files[0].sha256.startswith("md5:") for r in found[1:])
        fetched = [path for method, path, _ in archive.requests if "ds000105/sub" in path]
        assert fetched == [f"/bucket/ds000105/{path}"]
        assert check(tmp_path, self.openneuro(archive)) == []

    def test_a_changed_listing_is_a_difference(self, archive, tmp_path):
        archive.serve_dandi("000128", ASSETS)
        lock(tmp_path, self.dandi(archive))
        archive.serve_dandi("000128", ASSETS | {"sub-0/sub-0_ecephys.nwb": b"Z"})
        assert check(tmp_path, self.dandi(archive)) == [
            "sub-0: sub-0/sub-0_ecephys.nwb has other bytes of the same size than in the lock"
        ]

    def test_url_with_and_without_checksum(self, archive, tmp_path):
        archive.pages |= {"/a": Page(b"aa"), "/b": Page(b"bbb", head_status=403)}
        source = {
            "url": [
                {"url": f"{archive.url}/a", "path": "sub-a_ecephys.nwb", "sha256": sha(b"aa")},
                {"url": f"{archive.url}/b", "path": "sub-b_ecephys.nwb"},
            ]
        }
        found = lock(tmp_path, source)
        assert [(r.files[0].bytes, r.files[0].sha256) for r in found] == [
            (2, sha(b"aa")),
            (3, sha(b"bbb")),
        ]
        assert archive.asked("/a") == []

    def test_a_url_whose_checksum_is_wrong(self, archive, tmp_path):
        archive.pages["/b"] = Page(b"bbb", head_status=405)
        one = {"url": f"{archive.url}/b", "path": "sub-b_ecephys.nwb", "sha256": sha(b"other")}
        with pytest.raises(FetchError, match="other bytes"):
            lock(tmp_path, {"url": [one]})
        assert not (tmp_path / "locks/set.tsv").exists()

    def test_a_remote_folder_becomes_its_members(self, archive, tmp_path, monkeypatch):
        archive.serve_dandi("000128", {"s/plane0/F.npy": b"1", "s/plane0/spks.npy": b"2"})
        found = [locked("s", LockedFile("data", "s/plane0"))]
        monkeypatch.setattr("neuropipe.lock.resolve.discover", lambda *_: found)
        (recording,) = lock(tmp_path, self.dandi(archive), "calcium")
        assert [f.role for f in recording.files] == ["data", MEMBER, MEMBER]
        fetch_files(recording.files, tmp_path / "root", retries=FAST)
        assert (tmp_path / "root/s/plane0/spks.npy").read_bytes() == b"2"

    def test_a_hostile_listing_writes_nothing(self, archive, tmp_path):
        archive.serve_dandi("000128", ASSETS)[0]["path"] = "../../evil.nwb"
        with pytest.raises(FetchError):
            lock(tmp_path, self.dandi(archive))
        assert list(tmp_path.iterdir()) == []


MANIFEST = """\
# My study
datasets:
  # the first one
  first:
    title: "First: one"   # colon
    modality: spikes
    source: {path: data}
    license: CC0-1.0
    citation: doi
"""


class TestAdd:
    def add(self, folder: Path, source: dict, name: str = "second", **changes):
        values = {"title": "Second", "license_": "MIT", "citation": "A: b, 2020 #1"} | changes
        spots = places(folder)
        spots.pop("manifest_folder")
        return add_dataset(folder / "m.yaml", name, source, **values, **spots)

    def study(self, folder: Path, text: str = MANIFEST) -> Path:
        write_tree(folder / "data")
        (folder / "m.yaml").write_text(text)
        return folder

    def test_appends_and_locks(self, tmp_path):
        self.study(tmp_path)
        path = self.add(tmp_path, {"path": "data"}, read={"species": "Mus musculus"})
        text = (tmp_path / "m.yaml").read_text()
        assert text.startswith(MANIFEST)
        loaded = load_manifest(tmp_path / "m.yaml").datasets
        assert list(loaded) == ["first", "second"]
        assert loaded["second"].modality == "spikes"
        assert loaded["second"].citation == "A: b, 2020 #1"
        assert loaded["second"].read == {"species": "Mus musculus"}
        assert len(read_lock(path, "second")) == 3

    @pytest.mark.parametrize("text", ["datasets: {}\n", "datasets: {}  # none yet", None])
    def test_into_an_empty_manifest(self, tmp_path, text):
        write_tree(tmp_path / "data")
        if text is not None:
            (tmp_path / "m.yaml").write_text(text)
        self.add(tmp_path, {"path": "data"})
        assert list(load_manifest(tmp_path / "m.yaml").datasets) == ["second"]

    def test_facts_come_from_the_dataset(self, tmp_path):
        self.study(tmp_path)
        description = b'{"Name": "Ours", "License": "PDDL", "DatasetDOI": "10.1/x"}'
        write_tree(tmp_path / "data", {"dataset_description.json": description})
        self.add(tmp_path, {"path": "data"}, title=None, license_=None, citation=None)
        found = load_manifest(tmp_path / "m.yaml").datasets["second"]
        assert (found.title, found.license, found.citation) == ("Ours", "PDDL", "10.1/x")

    def test_missing_facts_name_their_options(self, tmp_path):
        self.study(tmp_path)
        with pytest.raises(ManifestError, match="--license TEXT --citation TEXT"):
            self.add(tmp_path, {"path": "data"}, license_=None, citation=None)

    @pytest.mark.parametrize(
        ("source", "changes", "error", "words"),
        [
            ({"path": "gone"}, {}, InputError, "does not exist"),
            ({"path": "data"}, {"name": "first"}, ManifestError, "already has first"),
            ({"path": "data"}, {"name": "../x"}, InputError, "dataset is"),
            ({"path": "data"}, {"modality": "eeg"}, ManifestError, "modality is 'eeg'"),
            ({"path": "data"}, {"modality": "images"}, InputError, "no images file"),
            ({"ftp": "data"}, {}, ManifestError, "exactly one of"),
            ({"openneuro": "105"}, {}, ManifestError, "openneuro"),
        ],
    )
    def test_on_an_error_nothing_changes(self, tmp_path, source, changes, error, words):
        self.study(tmp_path)
        with pytest.raises(error, match=words):
            self.add(tmp_path, source, **changes)
        assert (tmp_path / "m.yaml").read_text() == MANIFEST
        assert not (tmp_path / "locks").exists()

    def test_a_manifest_in_braces_is_left_alone(self, tmp_path):
        entry = yaml.safe_load(MANIFEST)["datasets"]["first"]
        text = f"datasets: {{first: {entry}}}\n".replace("'", '"')
        self.study(tmp_path, text)
        with pytest.raises(ManifestError, match="by hand"):
            self.add(tmp_path, {"path": "data"})
        assert (tmp_path / "m.yaml").read_text() == text

    def test_a_text_that_goes_on_after_its_datasets_is_left_alone(self, tmp_path):
        self.study(tmp_path, MANIFEST + "...\n")
        with pytest.raises(ManifestError):
            self.add(tmp_path, {"path": "data"})
        assert (tmp_path / "m.yaml").read_text() == MANIFEST + "...\n"

    def test_a_dandiset_describes_itself(self, archive, tmp_path):
        archive.serve_dandi("000128", FILES)
        body = b'{"name": "Maze", "license": ["spdx:CC-BY-4.0"], "citation": "A (2021)"}'
        archive.answers["/api/dandisets/000128/versions/draft/"] = lambda _: (200, {}, body)
        source = {"dandi": "000128", "endpoint": f"{archive.url}/api"}
        self.add(tmp_path, source, title=None, license_=None, citation=None)
        found = load_manifest(tmp_path / "m.yaml").datasets["second"]
        assert (found.title, found.license, found.modality) == ("Maze", "CC-BY-4.0", "spikes")


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ("openneuro:ds000105", {"openneuro": "ds000105"}),
        ("dandi:000128", {"dandi": "000128", "version": "draft"}),
        ("dandi:000128/0.220113.0400", {"dandi": "000128", "version": "0.220113.0400"}),
        ("nilearn:adhd", {"nilearn": "adhd"}),
        (
            "https://x.org/a/b.nwb?d=1",
            {"url": [{"url": "https://x.org/a/b.nwb?d=1", "path": "b.nwb"}]},
        ),
        ("../data", {"path": "../data"}),
        ("C:data", {"path": "C:data"}),
    ],
)
def test_sources_of_the_command_line(text, source):
    assert parse_source(text) == source


@pytest.mark.parametrize(
    ("paths", "modality"),
    [
        (["sub-1/sub-1_ophys.nwb"], "calcium"),
        (["sub-1/sub-1_behavior+ophys.nwb", "sub-2_image+ophys.nwb"], "calcium"),
        (["sub-1/sub-1_behavior+ecephys.nwb"], "spikes"),
    ],
)
def test_modality_by_name(paths, modality):
    assert guess_modality(paths) == modality


def test_modality_by_content(tmp_path):
    with h5py.File(tmp_path / "a.nwb", "w") as file:
        file["units/spike_times"] = [1.0]
    assert guess_modality(["a.nwb"], tmp_path) == "spikes"
    with h5py.File(tmp_path / "a.nwb", "w") as file:
        group = file.create_group("processing/ophys/Fluorescence/RoiResponseSeries")
        group.attrs["neurodata_type"] = "RoiResponseSeries"
    assert guess_modality(["a.nwb"], tmp_path) == "calcium"
    with pytest.raises(InputError, match="give --modality"):
        guess_modality(["a.nwb"])
    with pytest.raises(InputError, match="no modality"):
        guess_modality(["README"])
