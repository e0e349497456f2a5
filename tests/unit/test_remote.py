"""Listings of archives: complete over pages, and refused when hostile."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from types import SimpleNamespace

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neuropipe.errors import FetchError
from neuropipe.ingest.nilearn_tree import fetch_nilearn, nilearn_uri
from neuropipe.ingest.openneuro import parse_xml, read_description
from neuropipe.ingest.remote import chosen_paths, describe_remote, list_remote
from neuropipe.ingest.web import Retries
from neuropipe.manifest import DandiSource, OpenNeuroSource, UrlFile, UrlSource
from tests.servers import Page, serving

FAST = Retries(attempts=2, backoff=0.01, timeout=2.0)
FILES = {
    "dataset_description.json": b'{"Name": "Objects", "License": "CC0", "DatasetDOI": "10.1/x"}',
    "sub-1/func/sub-1_task-a_bold.nii.gz": b"one",
    "sub-1/func/sub-1_task-a_events.tsv": b"onset\tduration\n",
    "sub-2/func/sub-2_task-a+b_bold.nii.gz": b"two and more",
    ".bidsignore": b"x",
}
XML = {"Content-Type": "application/xml"}


@pytest.fixture
def archive():
    with serving() as found:
        yield found


def openneuro(archive, **changes) -> OpenNeuroSource:
    return OpenNeuroSource(openneuro="ds000105", endpoint=f"{archive.url}/bucket", **changes)


def dandi(archive, **changes) -> DandiSource:
    return DandiSource(dandi="000128", endpoint=f"{archive.url}/api", **changes)


def answer(archive, path: str, body: bytes | str, status: int = 200) -> None:
    data = body if isinstance(body, bytes) else body.encode()
    archive.answers[path] = lambda _: (status, {}, data)


def bucket(*rows: str) -> str:
    return f"<ListBucketResult><IsTruncated>false</IsTruncated>{''.join(rows)}</ListBucketResult>"


def row(key: str, size: str = "3", etag: str = "x") -> str:
    return f"<Contents><Key>{key}</Key><Size>{size}</Size><ETag>{etag}</ETag></Contents>"


class TestOpenNeuro:
    def test_lists_all_pages(self, archive):
        archive.serve_s3("ds000105", FILES, page_size=2)
        found = list_remote(openneuro(archive), FAST)
        assert [f.path for f in found] == sorted(p for p in FILES if p != ".bidsignore")
        assert len(archive.asked("/bucket")) == 3
        for file in found:
            body = FILES[file.path]
            assert file.bytes == len(body)
            assert file.checksum == f"md5:{hashlib.md5(body, usedforsecurity=False).hexdigest()}"
            assert file.modified == pytest.approx(1704164645.0)
        plus = next(f for f in found if "a+b" in f.path)
        assert plus.uri.endswith("/bucket/ds000105/sub-2/func/sub-2_task-a%2Bb_bold.nii.gz")

    def test_a_multipart_etag_is_no_checksum(self, archive):
        archive.serve_s3("ds000105", {"a.nii.gz": b"1"}, a_nii_gz="0" * 32 + "-2")
        assert list_remote(openneuro(archive), FAST)[0].checksum == ""

    def test_patterns_choose(self, archive):
        archive.serve_s3("ds000105", FILES)
        source = openneuro(archive, include=["sub-*"], exclude=["*_events.tsv"])
        assert [f.path.split("/")[0] for f in list_remote(source, FAST)] == ["sub-1", "sub-2"]
        with pytest.raises(FetchError, match="none of them chosen"):
            list_remote(openneuro(archive, include=["sub-9*"]), FAST)

    def test_an_unknown_dataset_is_named(self, archive):
        archive.serve_s3("ds000001", FILES)
        with pytest.raises(FetchError, match="no public files below ds000105/"):
            list_remote(openneuro(archive), FAST)

    def test_its_description_is_read(self, archive):
        archive.serve_s3("ds000105", FILES)
        found = describe_remote(openneuro(archive), FAST)
        assert found == {"title": "Objects", "license": "CC0", "citation": "10.1/x"}

    @pytest.mark.parametrize(
        "key", ["ds000105/../../x", "ds000105//etc/passwd", "ds000105/a\\b", "ds000105/a&#10;b"]
    )
    def test_unsafe_paths_are_refused(self, archive, key):
        answer(archive, "/bucket", bucket(row(key), row("ds000105/good.nii.gz")))
        with pytest.raises(FetchError, match=r"relative path without '\.\.'"):
            list_remote(openneuro(archive), FAST)

    @pytest.mark.parametrize(
        ("body", "words"),
        [
            (
                '<!DOCTYPE b [<!ENTITY a "aaaa">]><ListBucketResult>&a;</ListBucketResult>',
                "document type",
            ),
            (
                '<!DOCTYPE b [<!ENTITY a SYSTEM "file:///etc/passwd">]>'
                "<ListBucketResult><Contents><Key>&a;</Key></Contents></ListBucketResult>",
                "document type",
            ),
            ("<html><body>log in</body></html>", "XML <html>"),
            ("not XML", "no XML"),
            ("", "no XML"),
            (bucket(row("elsewhere/file")), "an object 'elsewhere/file'"),
            (bucket(row("ds000105/x", "many")), "of size 'many'"),
            (bucket(row("ds000105/x"), row("ds000105/x")), "twice"),
            (
                "<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>",
                "without the key of the next",
            ),
        ],
    )
    def test_malformed_listings_are_refused(self, archive, body, words):
        answer(archive, "/bucket", body)
        with pytest.raises(FetchError, match=words):
            list_remote(openneuro(archive), FAST)

    def test_an_entity_bomb_in_another_encoding_is_refused(self):
        lol = "".join(f'<!ENTITY l{i} "{f"&l{i - 1};" * 10}">' for i in range(1, 10))
        bomb = f'<!DOCTYPE b [<!ENTITY l0 "lol">{lol}]><ListBucketResult>&l9;</ListBucketResult>'
        for encoding in ("utf-8", "utf-16"):
            body = f'<?xml version="1.0" encoding="{encoding}"?>{bomb}'.encode(encoding)
            with pytest.raises(FetchError, match="document type"):
                parse_xml(body, "http://x")

    def test_a_listing_that_goes_in_circles_ends(self, archive):
        page = (
            "<ListBucketResult><IsTruncated>true</IsTruncated>"
            "<NextContinuationToken>again</NextContinuationToken></ListBucketResult>"
        )
        answer(archive, "/bucket", page)
        with pytest.raises(FetchError, match="next one"):
            list_remote(openneuro(archive), FAST)

    @given(st.binary(max_size=200).filter(lambda body: b"ListBucketResult" not in body))
    @settings(deadline=None)
    def test_other_bytes_are_refused_in_one_line(self, body):
        with pytest.raises(FetchError) as caught:
            parse_xml(body, "http://x")
        assert "\n" not in str(caught.value)


ASSETS = {"sub-A/sub-A_ecephys.nwb": b"aa", "sub-B/sub-B_b+e.nwb": b"bbb", "extra.json": b"{}"}


class TestDandi:
    def test_lists_all_pages_with_sha256(self, archive):
        archive.serve_dandi("000128", ASSETS, page_size=1)
        found = list_remote(dandi(archive, include=["*.nwb"]), FAST)
        assert [f.path for f in found] == ["sub-A/sub-A_ecephys.nwb", "sub-B/sub-B_b+e.nwb"]
        for file in found:
            assert file.checksum == hashlib.sha256(ASSETS[file.path]).hexdigest()
            assert file.bytes == len(ASSETS[file.path])
        assert found[0].uri == f"{archive.url}/blobs/0"

    def test_an_asset_without_blob_or_digest(self, archive):
        assets = archive.serve_dandi("000128", ASSETS)
        assets[0]["metadata"] = {}
        found = {f.path: f for f in list_remote(dandi(archive), FAST)}
        file = found["sub-A/sub-A_ecephys.nwb"]
        assert file.checksum == ""
        assert file.bytes == 2
        assert file.uri == f"{archive.url}/api/assets/asset-0/download/"

    def test_zarr_assets_are_left_out(self, archive):
        assets = archive.serve_dandi("000128", ASSETS)
        assets[0]["path"] = "sub-A/sub-A.nwb.zarr"
        assert len(list_remote(dandi(archive), FAST)) == 2

    @pytest.mark.parametrize(
        ("status", "words"), [(404, "does not exist"), (401, "embargoed"), (403, "embargoed")]
    )
    def test_refusals_name_the_dandiset(self, archive, status, words):
        answer(archive, "/api/dandisets/000128/versions/draft/assets/", "{}", status)
        with pytest.raises(FetchError, match=f"DANDI:000128 version draft .*{words}"):
            list_remote(dandi(archive), FAST)

    @pytest.mark.parametrize(
        ("body", "words"),
        [
            ("<html>login</html>", "no JSON"),
            ("[" * 100_000, "no JSON"),
            ("[]", "a JSON list"),
            ("{}", "without results"),
            ('{"results": [1]}', "an asset '1'"),
            ('{"results": [{"path": "x.nwb"}]}', "without path, id or size"),
            ('{"results": [], "next": "http://evil.example/assets/"}', "another host"),
            ('{"results": [], "next": 7}', "next one"),
        ],
    )
    def test_malformed_listings_are_refused(self, archive, body, words):
        answer(archive, "/api/dandisets/000128/versions/draft/assets/", body)
        with pytest.raises(FetchError, match=words):
            list_remote(dandi(archive), FAST)

    @pytest.mark.parametrize("path", ["../x.nwb", "/etc/x.nwb", "a\nb.nwb", "a/../../x.nwb"])
    def test_unsafe_paths_are_refused(self, archive, path):
        archive.serve_dandi("000128", ASSETS)[0]["path"] = path
        with pytest.raises(FetchError, match="relative path"):
            list_remote(dandi(archive), FAST)

    def test_a_version_cannot_climb(self, archive):
        with pytest.raises(FetchError):
            list_remote(dandi(archive, version="../../../x"), FAST)
        assert all("/versions/..%2F" in path for _, path, _ in archive.requests)

    def test_its_metadata_is_read(self, archive):
        data = {"name": "Maze", "license": ["spdx:CC-BY-4.0"], "citation": "A (2021)\n B"}
        answer(archive, "/api/dandisets/000128/versions/draft/", json.dumps(data))
        assert describe_remote(dandi(archive), FAST) == {
            "title": "Maze", "license": "CC-BY-4.0", "citation": "A (2021) B",
        }  # fmt: skip


class TestUrl:
    def source(self, archive, path="data/x.nwb", **changes):
        return UrlSource(url=[UrlFile(url=f"{archive.url}/x.nwb", path=path, **changes)])

    def test_size_by_head(self, archive):
        archive.pages["/x.nwb"] = Page(b"12345", modified="Wed, 01 Jan 2025 00:00:00 GMT")
        (file,) = list_remote(self.source(archive, sha256="a" * 64), FAST)
        assert (file.path, file.bytes, file.checksum) == ("data/x.nwb", 5, "a" * 64)
        assert file.modified == pytest.approx(1735689600.0)
        assert archive.asked("/x.nwb") == []

    def test_a_server_without_head(self, archive):
        archive.pages["/x.nwb"] = Page(b"12345", head_status=405)
        (file,) = list_remote(self.source(archive), FAST)
        assert file.bytes is None

    def test_a_missing_file_is_named(self, archive):
        with pytest.raises(FetchError, match=r"/x\.nwb: it does not exist \(HTTP 404\)"):
            list_remote(self.source(archive), FAST)

    def test_unsafe_paths_are_refused(self, archive):
        archive.pages["/x.nwb"] = Page(b"12345")
        with pytest.raises(FetchError, match="relative path"):
            list_remote(self.source(archive, path="../x.nwb"), FAST)


@given(st.lists(st.text("ab/.*", min_size=1, max_size=8)))
def test_hidden_paths_are_never_chosen(paths):
    for path in chosen_paths(paths, ["*"], []):
        assert not any(p.startswith(".") for p in path.split("/") if p != "..")


@given(
    st.dictionaries(
        st.sampled_from(
            ["Name", "License", "DatasetDOI", "ReferencesAndLinks", "HowToAcknowledge"]
        ),
        st.one_of(st.none(), st.integers(), st.text(), st.lists(st.one_of(st.text(), st.none()))),
    )
)
def test_descriptions_give_lines_or_nothing(data):
    found = read_description(json.dumps(data))
    assert set(found) <= {"title", "license", "citation"}
    assert all(text and text == " ".join(text.split()) for text in found.values())


class TestNilearn:
    """The fetchers are played by fakes with the layout of nilearn's own downloads."""

    @staticmethod
    def image(path: Path) -> str:
        path.parent.mkdir(parents=True, exist_ok=True)
        nib.Nifti1Image(np.ones((2, 2, 2, 5), np.int16), np.eye(4)).to_filename(path)
        return str(path)

    def development(self, n_subjects, data_dir, verbose):
        folder = Path(data_dir) / "development_fmri"
        names = [f"sub-pixar{i:03d}" for i in range(n_subjects)]
        funcs, confounds = [], []
        for name in names:
            space = "space-MNI152NLin2009cAsym_desc-preproc_bold.nii.gz"
            funcs.append(self.image(folder / f"{name}_task-pixar_{space}"))
            table = folder / f"{name}_task-pixar_desc-reducedConfounds_regressors.tsv"
            table.write_text("trans_x\tframewise_displacement\n0.1\tn/a\n")
            confounds.append(str(table))
        phenotypic = pd.DataFrame(
            {
                "participant_id": names, "Age": 5.5, "AgeGroup": "5yo", "Child_Adult": "child",
                "Gender": "F", "Handedness": "R",
            }
        )  # fmt: skip
        return SimpleNamespace(func=funcs, confounds=confounds, phenotypic=phenotypic, t_r=2)

    def adhd(self, n_subjects, data_dir, verbose):
        folder = Path(data_dir) / "adhd" / "data"
        funcs, confounds = [], []
        for i in range(n_subjects):
            name = f"{10042 + i:07d}"
            funcs.append(self.image(folder / name / f"{name}_rest_tshift_RPI_voreg_mni.nii.gz"))
            table = folder / name / f"{name}_regressors.csv"
            table.write_text("csf\twm\tglobal\tmotion-pitch\tmotion-x\n0.10\t1\t2\t0.5\t-0.25\n")
            confounds.append(str(table))
        phenotypic = pd.DataFrame({"Subject": [10042], "age": [9.0], "adhd": [1]})
        return SimpleNamespace(func=funcs, confounds=confounds, phenotypic=phenotypic, t_r=2.0)

    @pytest.fixture(autouse=True)
    def fakes(self, monkeypatch):
        monkeypatch.setattr("nilearn.datasets.fetch_development_fmri", self.development)
        monkeypatch.setattr("nilearn.datasets.fetch_adhd", self.adhd)

    def test_development_fmri(self, tmp_path):
        fetch_nilearn(nilearn_uri("development_fmri", 2), tmp_path)
        stem = tmp_path / "sub-pixar001/func/sub-pixar001_task-pixar_desc"
        assert nib.load(f"{stem}-preproc_bold.nii.gz").shape == (2, 2, 2, 5)
        assert json.loads(Path(f"{stem}-preproc_bold.json").read_text())["RepetitionTime"] == 2.0
        table = pd.read_csv(f"{stem}-confounds_timeseries.tsv", sep="\t")
        assert table["trans_x"][0] == 0.1
        people = pd.read_csv(tmp_path / "participants.tsv", sep="\t")
        assert list(people["participant_id"]) == ["sub-pixar000", "sub-pixar001"]
        assert list(people.columns[1:]) == ["age", "age_group", "group", "sex", "handedness"]

    def test_adhd(self, tmp_path):
        fetch_nilearn(nilearn_uri("adhd", 2), tmp_path)
        stem = tmp_path / "sub-0010042/func/sub-0010042_task-rest_desc"
        table = pd.read_csv(f"{stem}-confounds_timeseries.tsv", sep="\t", dtype=str)
        assert list(table) == ["csf", "white_matter", "global_signal", "motion-pitch", "trans_x"]
        assert table["csf"][0] == "0.10"
        people = pd.read_csv(tmp_path / "participants.tsv", sep="\t")
        assert people["age"][0] == 9.0
        assert np.isnan(people["age"][1])

    def test_the_same_call_gives_the_same_bytes(self, tmp_path):
        trees = []
        for name in ("here", "there"):
            fetch_nilearn(nilearn_uri("adhd", 1), tmp_path / name)
            fetch_nilearn(nilearn_uri("adhd", 1), tmp_path / name)  # again, over the old tree
            root = tmp_path / name
            files = [p for p in root.rglob("*") if p.is_file() and ".nilearn" not in p.parts]
            hashes = [hashlib.sha256(p.read_bytes()).hexdigest() for p in files]
            trees.append(dict(zip([p.relative_to(root) for p in files], hashes, strict=True)))
        assert trees[0] == trees[1]
        assert len(trees[0]) == 5

    @pytest.mark.parametrize("uri", ["nilearn:haxby?n_subjects=1", "nilearn:adhd", "http://x"])
    def test_other_addresses_are_refused(self, tmp_path, uri):
        with pytest.raises(FetchError, match="address"):
            fetch_nilearn(uri, tmp_path)

    def test_a_failed_download_is_one_line(self, tmp_path, monkeypatch):
        def fail(**_):
            raise OSError("no route\nto host")

        monkeypatch.setattr("nilearn.datasets.fetch_adhd", fail)
        with pytest.raises(FetchError, match="no route to host"):
            fetch_nilearn(nilearn_uri("adhd", 1), tmp_path)
