"""Downloads: resumed, retried, verified, and honest about what went wrong."""

from __future__ import annotations

import hashlib
import multiprocessing
import shutil
from collections import namedtuple
from pathlib import Path

import pytest

from neuropipe.errors import FetchError, InputError, LockError
from neuropipe.ingest.fetch import fetch_command, fetch_files, is_intact
from neuropipe.ingest.web import Retries
from neuropipe.manifest import LockedFile, LockedRecording, write_lock
from tests.servers import Archive, Page, serving

FAST = Retries(attempts=3, backoff=0.01, timeout=2.0)
BODY = bytes(range(256)) * 4096  # 1 MiB


@pytest.fixture
def archive():
    with serving() as found:
        yield found


def locked(archive: Archive, path: str = "sub-1/data.bin", body: bytes = BODY, **changes):
    values = {
        "role": "data", "path": path, "uri": f"{archive.url}/{path}", "bytes": len(body),
        "sha256": hashlib.sha256(body).hexdigest(),
    }  # fmt: skip
    return LockedFile(**(values | changes))


def serve(archive: Archive, path: str = "sub-1/data.bin", **page) -> LockedFile:
    archive.pages[f"/{path}"] = Page(**({"body": BODY} | page))
    return locked(archive, path)


def fetch(*files: LockedFile, root: Path) -> None:
    fetch_files(files, root, retries=FAST)


def visible(root: Path) -> list[str]:
    return sorted(
        p.relative_to(root).as_posix()
        for p in root.rglob("*")
        if p.is_file() and ".locks" not in p.parts
    )


def test_brings_a_file_and_leaves_nothing_else(archive, tmp_path):
    file = serve(archive)
    fetch(file, root=tmp_path)
    assert (tmp_path / file.path).read_bytes() == BODY
    assert visible(tmp_path) == [file.path]


def test_a_file_that_is_there_is_not_asked_for(archive, tmp_path):
    file = serve(archive)
    (tmp_path / "sub-1").mkdir()
    (tmp_path / file.path).write_bytes(BODY)
    fetch(file, root=tmp_path)
    assert archive.requests == []


@pytest.mark.parametrize("wrong", [b"short", BODY[:-1] + b"x"])
def test_a_wrong_file_is_replaced(archive, tmp_path, wrong):
    file = serve(archive)
    (tmp_path / "sub-1").mkdir()
    (tmp_path / file.path).write_bytes(wrong)
    fetch(file, root=tmp_path)
    assert (tmp_path / file.path).read_bytes() == BODY


def test_md5_is_enough(archive, tmp_path):
    file = serve(archive)
    md5 = f"md5:{hashlib.md5(BODY, usedforsecurity=False).hexdigest()}"
    file = locked(archive, sha256=md5)
    fetch(file, root=tmp_path)
    assert is_intact(file, tmp_path)
    with pytest.raises(FetchError, match="other bytes"):
        fetch(locked(archive, sha256="md5:" + "0" * 32), root=tmp_path)


def test_a_broken_connection_is_resumed_where_it_broke(archive, tmp_path):
    file = serve(archive, misbehave=lambda n: ("drop", 300_000) if n == 0 else None)
    fetch(file, root=tmp_path)
    first, second = archive.asked(f"/{file.path}")
    assert "Range" not in first
    assert second["Range"] == "bytes=300000-"
    assert second["If-Range"] == '"v1"'
    assert (tmp_path / file.path).read_bytes() == BODY
    assert visible(tmp_path) == [file.path]


def test_a_partial_file_of_an_earlier_run_is_resumed(archive, tmp_path):
    file = serve(archive, misbehave=lambda n: ("drop", 1000 * (n + 1)) if n < 3 else None)
    with pytest.raises(FetchError, match="it resumes"):
        fetch(file, root=tmp_path)
    assert (tmp_path / f"{file.path}.part").stat().st_size == 6000
    fetch(file, root=tmp_path)
    assert archive.asked(f"/{file.path}")[-1]["Range"] == "bytes=6000-"
    assert (tmp_path / file.path).read_bytes() == BODY


def test_a_complete_part_needs_no_more_bytes(archive, tmp_path):
    file = serve(archive, misbehave=lambda n: ("drop", 10) if n < 3 else None)
    with pytest.raises(FetchError):
        fetch(file, root=tmp_path)
    (tmp_path / f"{file.path}.part").write_bytes(BODY)
    fetch(file, root=tmp_path)
    assert len(archive.asked(f"/{file.path}")) == 3
    assert (tmp_path / file.path).read_bytes() == BODY


def test_last_modified_serves_where_the_etag_is_weak(archive, tmp_path):
    date = "Wed, 01 Jan 2025 00:00:00 GMT"
    file = serve(
        archive, etag='W/"v1"', modified=date,
        misbehave=lambda n: ("drop", 5000) if n == 0 else None,
    )  # fmt: skip
    fetch(file, root=tmp_path)
    assert archive.asked(f"/{file.path}")[1]["If-Range"] == date


def test_without_a_version_nothing_is_resumed(archive, tmp_path):
    file = serve(archive, etag=None, misbehave=lambda n: ("drop", 5000) if n < 3 else None)
    with pytest.raises(FetchError):
        fetch(file, root=tmp_path)
    assert visible(tmp_path) == []
    assert all("Range" not in asked for asked in archive.asked(f"/{file.path}"))


def test_a_file_that_changes_between_tries_starts_anew(archive, tmp_path):
    new = BODY[::-1]
    page = Page(BODY, etag='"old"')

    def change(n: int):
        if n == 0:
            return ("drop", 5000)
        page.body, page.etag = new, '"new"'
        return None

    page.misbehave = change
    # The change takes effect while the second request is answered, which asks for the old version.
    archive.pages["/sub-1/data.bin"] = page
    fetch(locked(archive, body=new), root=tmp_path)
    assert archive.asked("/sub-1/data.bin")[1]["If-Range"] == '"old"'
    assert (tmp_path / "sub-1/data.bin").read_bytes() == new


def test_a_server_without_ranges_is_read_from_the_start(archive, tmp_path):
    file = serve(archive, ranges=False, misbehave=lambda n: ("drop", 5000) if n == 0 else None)
    fetch(file, root=tmp_path)
    assert (tmp_path / file.path).read_bytes() == BODY


def test_an_overloaded_server_is_asked_again(archive, tmp_path):
    file = serve(archive, misbehave=lambda n: ("status", 503) if n < 2 else None)
    fetch(file, root=tmp_path)
    assert len(archive.asked(f"/{file.path}")) == 3


def test_a_server_that_stays_overloaded_is_an_error(archive, tmp_path):
    file = serve(archive, misbehave=lambda _: ("status", 503))
    with pytest.raises(FetchError, match="HTTP 503"):
        fetch(file, root=tmp_path)


def test_a_slow_server_is_retried_then_named(archive, tmp_path):
    file = serve(archive, misbehave=lambda _: ("sleep", 0.6))
    patient = Retries(attempts=2, backoff=0.01, timeout=0.2)
    with pytest.raises(FetchError, match=r"no answer within 0\.2 s"):
        fetch_files([file], tmp_path, retries=patient)
    assert len(archive.asked(f"/{file.path}")) == 2


def test_wrong_bytes_are_deleted_and_named(archive, tmp_path):
    file = serve(archive, body=BODY[::-1])
    with pytest.raises(FetchError, match="other bytes than the lock promises"):
        fetch(file, root=tmp_path)
    assert visible(tmp_path) == []


@pytest.mark.parametrize("body", [b"<html>log in</html>", BODY + b"more"])
def test_another_size_is_refused_before_the_bytes_come(archive, tmp_path, body):
    file = serve(archive, body=body)
    with pytest.raises(FetchError, match=f"has {len(body)} bytes; expected {len(BODY)}"):
        fetch(file, root=tmp_path)
    assert visible(tmp_path) == []


@pytest.mark.parametrize(
    ("status", "words"),
    [(404, "does not exist"), (403, "access is refused"), (401, "needs a login"), (418, "refused")],
)
def test_refusals_say_why_and_what_to_do(archive, tmp_path, status, words):
    file = serve(archive, misbehave=lambda _: ("status", status))
    with pytest.raises(FetchError) as caught:
        fetch(file, root=tmp_path)
    text = str(caught.value)
    assert words in text
    assert f"HTTP {status}" in text
    assert str(tmp_path / file.path) in text
    assert "\n" not in text


def test_no_server_at_all(archive, tmp_path):
    closed = locked(archive, uri="http://127.0.0.1:9/data.bin")
    with pytest.raises(FetchError, match="connection was refused"):
        fetch(closed, root=tmp_path)
    nowhere = locked(archive, uri="http://no-such-host.invalid/data.bin")
    with pytest.raises(FetchError, match="DNS"):
        fetch(nowhere, root=tmp_path)


def test_a_password_in_an_address_is_not_shown(archive, tmp_path):
    uri = archive.url.replace("http://", "http://me:secret@") + "/x?token=hidden"
    with pytest.raises(FetchError) as caught:
        fetch(locked(archive, uri=uri), root=tmp_path)
    assert "secret" not in str(caught.value)
    assert "hidden" not in str(caught.value)


def test_the_proxy_of_the_environment_is_used(archive, tmp_path, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    with pytest.raises(FetchError, match="proxy"):
        fetch(locked(archive, uri="http://example.org/x"), root=tmp_path)


def test_a_full_disk_is_seen_before_the_start(archive, tmp_path, monkeypatch):
    file = serve(archive)
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10**9, 10**9, 1000))
    with pytest.raises(FetchError, match="free"):
        fetch(file, root=tmp_path / "not" / "there" / "yet")
    assert archive.requests == []


@pytest.mark.parametrize("path", ["../x", "/etc/passwd", "a/../../b", "a\nb"])
def test_paths_that_leave_the_root_are_refused(archive, tmp_path, path):
    with pytest.raises(InputError):
        fetch(locked(archive, path), root=tmp_path)
    assert archive.requests == []


def test_a_missing_file_without_address_is_named(archive, tmp_path):
    with pytest.raises(FetchError, match="no address"):
        fetch(locked(archive, uri=""), root=tmp_path)


def test_a_folder_needs_only_its_members(archive, tmp_path):
    member = serve(archive, "images/1.jpg")
    folder = LockedFile("images", "images")
    fetch(folder, member, root=tmp_path)
    assert (tmp_path / "images/1.jpg").read_bytes() == BODY


def test_one_failure_stops_the_others(archive, tmp_path):
    bad = serve(archive, "bad.bin", misbehave=lambda _: ("status", 404))
    good = [serve(archive, f"{i}.bin") for i in range(40)]
    with pytest.raises(FetchError, match=r"bad\.bin"):
        fetch(bad, *good, root=tmp_path)
    assert len(visible(tmp_path)) < 40


def _fetch_in_process(uri: str, digest: str, root: str) -> None:
    file = LockedFile("data", "big.bin", uri, len(BODY), digest)
    fetch_files([file], Path(root), retries=FAST)


def test_two_processes_load_a_shared_file_once(archive, tmp_path):
    archive.pages["/big.bin"] = Page(BODY, misbehave=lambda _: ("sleep", 0.5))
    digest = hashlib.sha256(BODY).hexdigest()
    context = multiprocessing.get_context("spawn")
    args = (f"{archive.url}/big.bin", digest, str(tmp_path))
    processes = [context.Process(target=_fetch_in_process, args=args) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0]
    assert len(archive.asked("/big.bin")) == 1
    assert (tmp_path / "big.bin").read_bytes() == BODY


def test_the_command_fetches_one_recording(archive, tmp_path):
    mine, other = serve(archive, "sub-1/a.bin"), serve(archive, "sub-2/b.bin")
    lock = tmp_path / "set.tsv"
    write_lock(
        lock,
        [
            LockedRecording("sub-1", "1", "", "", "", (mine,)),
            LockedRecording("sub-2", "2", "", "", "", (other,)),
        ],
    )
    fetch_command(dataset="set", recording="sub-1", lock=lock, root=tmp_path / "root")
    assert visible(tmp_path / "root") == ["sub-1/a.bin"]
    with pytest.raises(LockError, match="no recording sub-3"):
        fetch_command(dataset="set", recording="sub-3", lock=lock, root=tmp_path)
