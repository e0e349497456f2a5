"""Malformed manifests, locks and settings through the commands, and some in a real process."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from neuropipe.manifest import read_lock
from tests.malformed import (
    NWB,
    STEM,
    assert_refused,
    bids,
    files_below,
    ingest_arguments,
    lock_arguments,
    neuropipe,
    refused,
    roi_table,
    units_nwb,
    write_manifest,
)

ENTRY = """\
datasets:
  d:
    title: T
    modality: fmri
    source: {path: data}
    license: CC0
    citation: us
"""


def _bomb(depth):
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{k}: &a{k} [{', '.join([f'*a{k - 1}'] * 10)}]" for k in range(1, depth)]
    return "\n".join(lines)


MANIFESTS = {
    "aliases that multiply": (_bomb(12), "alias"),
    "a merge key": (ENTRY + "  e: {<<: *x}\n", "alias"),
    "a Python object": ("datasets: !!python/object/apply:os.system ['touch ran']\n", "tag"),
    "another tag": ("datasets: !secret x\n", "tag"),
    "nested 10 000 deep": ("datasets: " + "[" * 10_000 + "]" * 10_000, "data_manifest.yaml"),
    "nested mappings": ("datasets: " + "{a: " * 5_000 + "1" + "}" * 5_000, "data_manifest.yaml"),
    "10 MB": ("# " + "x" * 10_000_000 + "\n" + ENTRY, "2 MB"),
    "20 000 keys": ("datasets: {}\n" + "\n".join(f"k{k}: 1" for k in range(20_000)), "k0"),
    "a list": ("- datasets\n", "datasets"),
    "text": ("datasets\n", "datasets"),
    "nothing": ("", "datasets"),
    "binary": (b"\x00\x01\x02\xff", "data_manifest.yaml"),
    "not UTF-8": (ENTRY.replace("T", "\u00e9").encode("latin-1"), "utf-8"),
    "two documents": (ENTRY + "---\n" + ENTRY, "document"),
    "a tab": (ENTRY.replace("    title", "\ttitle"), "data_manifest.yaml"),
    "a key twice": (ENTRY + "    title: U\n", "'title'"),
    "a dataset twice": (ENTRY + ENTRY.partition("\n")[2], "'d'"),
    "an unknown key": (ENTRY + "    modalty: fmri\n", "modalty"),
    "an unknown modality": (ENTRY.replace("fmri", "eeg"), "modality"),
    "no licence": (ENTRY.replace("    license: CC0\n", ""), "license"),
    "an empty citation": (ENTRY.replace("us\n", "''\n"), "citation"),
    "a title that is a number": (ENTRY.replace("title: T", "title: 7"), "title"),
    "two sources": (ENTRY.replace("path: data", "path: data, simulate: fmri"), "source"),
    "an unknown source": (ENTRY.replace("path: data", "ftp: data"), "source"),
    "a source that is text": (ENTRY.replace("{path: data}", "data"), "source"),
    "an address without protocol": (
        ENTRY.replace("path: data", "url: [{url: 'file:///etc/passwd', path: x}]"), "url"),
    "a dataset that climbs": (ENTRY.replace("  d:", "  ../d:"), "'../d'"),
    "a dataset that is absolute": (ENTRY.replace("  d:", "  /etc/x:"), "'/etc/x'"),
    "a dataset with an escape sequence": (ENTRY.replace("  d:", '  "a\\e[2J":'), "\\x1b"),
    "a dataset with a bidi override": (ENTRY.replace("  d:", '  "a\\u202eb":'), "\\u202e"),
    "a dataset that is an option": (ENTRY.replace("  d:", "  --all:"), "'--all'"),
    "a dataset of 5000 letters": (ENTRY.replace("  d:", f"  ? {'a' * 5000}\n  :"), "aaa"),
    "a dataset that is a number": (ENTRY.replace("  d:", "  7:"), "7"),
    "analyses that are a list": (ENTRY + "    analyses: [quality]\n", "analyses"),
}  # fmt: skip


@pytest.mark.parametrize("name", MANIFESTS)
def test_manifests(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    content, fragment = MANIFESTS[name]
    bids(tmp_path / "data")
    data = content if isinstance(content, bytes) else content.encode()
    (tmp_path / "data_manifest.yaml").write_bytes(data)
    refused(tmp_path, ["data_manifest.yaml", fragment], *lock_arguments(tmp_path))


def test_a_manifest_that_is_a_folder_or_a_loop(tmp_path):
    (tmp_path / "data_manifest.yaml").mkdir()
    refused(tmp_path, ["data_manifest.yaml"], *lock_arguments(tmp_path))
    (tmp_path / "data_manifest.yaml").rmdir()
    (tmp_path / "data_manifest.yaml").symlink_to("data_manifest.yaml")
    refused(tmp_path, ["data_manifest.yaml"], *lock_arguments(tmp_path))


def _cells(change):
    """Change the first row of a lock, a list of cells."""

    def spoil(text):
        header, first, *rest = text.splitlines()
        cells = first.split("\t")
        change(cells)
        return "\n".join([header, "\t".join(cells), *rest]) + "\n"

    return spoil


def _put(column, value):
    names = ["recording", "subject", "session", "task", "run", "role", "path", "uri", "bytes",
             "sha256"]  # fmt: skip
    return _cells(lambda cells: cells.__setitem__(names.index(column), value))


def _shuffled(text):
    lines = [line.split("\t") for line in text.splitlines()]
    return "\n".join("\t".join([*line[1:], line[0]]) for line in lines) + "\n"


LOCKS = {
    "zero bytes": (lambda t: "", "d.tsv"),
    "header alone": (lambda t: t.splitlines()[0] + "\n", "d.tsv"),
    "columns shuffled": (_shuffled, "d.tsv"),
    "columns renamed": (lambda t: t.replace("sha256", "md5", 1), "d.tsv"),
    "a column missing": (lambda t: "\n".join(r.rpartition("\t")[0] for r in t.splitlines()),
                         "d.tsv"),
    "a row too short": (_cells(lambda c: c.pop()), "d.tsv"),
    "a row too long": (_cells(lambda c: c.append("x")), "d.tsv"),
    "a negative count of bytes": (_put("bytes", "-1"), "-1"),
    "a count of bytes that is text": (_put("bytes", "many"), "'many'"),
    "a count of bytes with underscores": (_put("bytes", "1_0"), "1_0"),
    "a count of bytes of 5000 digits": (_put("bytes", "9" * 5000), "d.tsv"),
    "a path that climbs": (_put("path", "../../etc/passwd"), "../../etc/passwd"),
    "an absolute path": (_put("path", "/etc/passwd"), "/etc/passwd"),
    "an empty path": (_put("path", ""), "d.tsv"),
    "a path with an escape sequence": (_put("path", "a\x1b[2J"), "\\x1b"),
    "a recording that climbs": (_put("recording", "../x"), "'../x'"),
    "a recording that is an option": (_put("recording", "-x"), "'-x'"),
    "a subject that climbs": (_put("subject", "../../x"), "'../../x'"),
    "a session that climbs": (_put("session", ".."), "'..'"),
    "no subject": (_put("subject", ""), "subject"),
    "another subject in the same recording": (_put("subject", "02"), "sub-01_task-rest"),
    "a checksum of another file": (_put("sha256", "0" * 64), "sha256"),
    "a checksum that is text": (_put("sha256", "none"), "none"),
    "a checksum of unknown kind": (_put("sha256", "crc:12"), "crc:12"),
    "a role nobody knows": (_put("role", "date"), "'data'"),
    "not UTF-8": (lambda t: b"\xff\xfe" + t.encode(), "d.tsv"),
    "NUL bytes": (lambda t: t.encode().replace(b"rest", b"re\0t"), "d.tsv"),
    "a cell of 200 kB": (_put("path", "a" * 200_000), "d.tsv"),
    "a lone quote": (_put("role", '"data'), "d.tsv"),
}  # fmt: skip


@pytest.fixture
def locked(tmp_path):
    """A study of ROI series with its lock, and the command that ingests it."""
    roi_table(tmp_path / "data")
    (tmp_path / "out").mkdir()
    write_manifest(tmp_path, "fmri", {})
    assert neuropipe(*lock_arguments(tmp_path)).status == 0
    return tmp_path, ingest_arguments(tmp_path, "fmri", {})


@pytest.mark.parametrize("name", LOCKS)
def test_locks(name, locked):
    study, arguments = locked
    change, fragment = LOCKS[name]
    path = study / "config" / "recordings" / "d.tsv"
    found = change(path.read_text())
    path.write_bytes(found if isinstance(found, bytes) else found.encode())
    refused(study, [fragment], *arguments)


def test_files_that_changed_after_the_lock(locked):
    study, arguments = locked
    path = study / "data" / f"{STEM}_timeseries.tsv"
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b"100", b"101", 1))
    refused(study, [path.name, "sha256"], *arguments)
    path.write_bytes(b"")
    refused(study, [path.name, "zero bytes"], *arguments)
    path.unlink()
    refused(study, [path.name, "missing"], *arguments)
    path.symlink_to(path)
    refused(study, [path.name], *arguments)
    path.unlink()
    path.symlink_to("gone")
    refused(study, [path.name, "missing"], *arguments)
    path.unlink()
    path.mkdir()
    refused(study, [path.name], *arguments)
    path.rmdir()
    path.write_bytes(whole)
    assert neuropipe(*arguments).status == 0


def test_an_older_output_survives_a_refusal(locked):
    study, arguments = locked
    output = study / "out" / "made.nc"
    assert neuropipe(*arguments).status == 0
    before = files_below(study)
    (study / "data" / "participants.tsv").write_text("participant_id\n../x\n")
    assert neuropipe(*arguments).status == 2
    after = files_below(study)
    assert before.pop("data/participants.tsv") != after.pop("data/participants.tsv")
    assert before == after
    assert output.stat().st_size


@pytest.mark.parametrize(
    ("change", "fragment"),
    [
        ({"--modality": "eeg"}, "'eeg'"),
        ({"--settings": "{"}, "read settings of d"),
        ({"--settings": "[]"}, "read settings of d"),
        ({"--settings": "null"}, "read settings of d"),
        ({"--settings": '{"tr": 2}'}, "tr"),
        ({"--settings": '{"high_pass": NaN}'}, "high_pass"),
        ({"--settings": '{"high_pass": Infinity}'}, "high_pass"),
        ({"--settings": '{"repetition_time": 0}'}, "repetition_time"),
        ({"--settings": '{"repetition_time": NaN}'}, "repetition_time"),
        ({"--settings": '{"max_missing": NaN}'}, "max_missing"),
        ({"--settings": '{"dummy_scans": 1e9}'}, "dummy_scans"),
        ({"--settings": '{"a": ' * 100_000}, "read settings of d"),
        ({"--settings": '{"grid_edge": ' + "9" * 5000 + "}"}, "read settings of d"),
        ({"--settings": '{"detrend": false, "detrend": true}'}, "detrend"),
        ({"--dataset": "../d"}, "'../d'"),
        ({"--lock": "none.tsv"}, "none.tsv"),
        ({"--root": "nowhere"}, "nowhere"),
        ({"--output": "{study}/data_manifest.yaml/x.nc"}, "data_manifest.yaml"),
        ({"--output": "{study}/out"}, "out"),
        ({"--output": "/proc/no/x.nc"}, "/proc/no"),
        ({"--output": "{study}/out/" + "a" * 300}, "aaa"),
    ],
)
def test_arguments_of_ingest(change, fragment, locked):
    study, _ = locked
    filled = {key: value.replace("{study}", str(study)) for key, value in change.items()}
    refused(study, [fragment], *ingest_arguments(study, "fmri", {}, **filled))


def test_a_recording_that_the_lock_does_not_name(locked):
    study, _ = locked
    for name in ("sub-02", "../sub-01_task-rest", ""):
        arguments = ingest_arguments(study, "fmri", {})
        arguments[1] = name
        refused(study, ["names no recording"], *arguments)


@pytest.mark.parametrize(
    ("kind", "settings", "fragment"),
    [
        ("fmri", {"n_subjects": 10**9}, "n_subjects"),
        ("fmri", {"n_subjects": 10**400}, "simulation fmri"),
        ("fmri", {"n_subjects": 10_000, "n_runs": 9, "duration": 7200, "n_rois": 400}, "fmri"),
        ("fmri", {"n_rois": 10**9}, "n_rois"),
        ("fmri", {"duration": 1e300}, "duration"),
        ("fmri", {"repetition_time": 1e-9}, "repetition_time"),
        ("fmri", {"seed": -1}, "seed"),
        ("calcium", {"n_neurons": 10**9}, "n_neurons"),
        ("calcium", {"n_animals": 200, "n_neurons": 2000, "duration": 7200, "sampling_rate": 50},
         "calcium"),
        ("calcium", {"sampling_rate": 0}, "sampling_rate"),
        ("spikes", {"n_units": 10**9}, "n_units"),
        ("spikes", {"n_subjects": 500, "n_units": 1000, "duration": 7200, "mean_rate": 30},
         "spikes"),
        ("spikes", {"film_duration": 1e9}, "film_duration"),
        ("vision", {"n_images": 10**9}, "n_images"),
        ("vision", {"n_sessions": 100, "n_images": 20_000, "n_repeats": 20, "units_per_roi": 2000},
         "vision"),
        ("eeg", {}, "'eeg'"),
        ("../fmri", {}, "'../fmri'"),
    ],
)  # fmt: skip
def test_simulations_that_no_machine_could_hold(kind, settings, fragment, tmp_path):
    text = json.dumps(settings)
    output = tmp_path / "made"
    refused(tmp_path, [fragment], "simulate", kind, "--output", output, "--settings", text)


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity", '"1"', "null", "[1]"])
def test_settings_of_simulations_are_numbers(value, tmp_path):
    refused(tmp_path, ["duration"], "simulate", "fmri", "--output", tmp_path / "made",
            "--settings", f'{{"duration": {value}}}')  # fmt: skip


def test_what_a_library_says_of_an_odd_header_stays_unsaid(tmp_path):
    _odd_header(tmp_path / "data")
    write_manifest(tmp_path, "fmri", {})
    assert neuropipe(*lock_arguments(tmp_path)).status == 0
    (tmp_path / "out").mkdir()
    run = _subprocess(ingest_arguments(tmp_path, "fmri", {}), tmp_path)
    assert (run.returncode, run.stderr, run.stdout) == (0, "", "")


def _subprocess(arguments, folder):
    return subprocess.run(
        [sys.executable, "-m", "neuropipe", *map(str, arguments)],
        capture_output=True, text=True, check=False, cwd=folder, timeout=60,
    )  # fmt: skip


def _short_nifti(root):
    bids(root)
    path = root / f"{STEM}_bold.nii.gz"
    path.write_bytes(path.read_bytes()[:20_000])


def _short_nwb(root):
    units_nwb(root)
    (root / NWB).write_bytes((root / NWB).read_bytes()[:40_000])


def _odd_header(root):
    """A run whose header makes nibabel complain on standard error."""
    import gzip

    bids(root)
    path = root / f"{STEM}_bold.nii.gz"
    data = bytearray(gzip.decompress(path.read_bytes()))
    data[76:92] = bytes(16)  # pixdim
    data[254:256] = b"\xff\x7f"  # sform_code
    data[280:328] = bytes(48)
    path.write_bytes(gzip.compress(bytes(data)))


@pytest.mark.parametrize(
    ("build", "modality", "fragment"),
    [
        (_short_nifti, "fmri", "bold.nii.gz"),
        (_short_nwb, "spikes", "session.nwb"),
    ],
)
def test_a_real_process_says_one_line(build, modality, fragment, tmp_path):
    build(tmp_path / "data")
    write_manifest(tmp_path, modality, {})
    locking = _subprocess(lock_arguments(tmp_path), tmp_path)
    assert (locking.returncode, locking.stderr) == (0, "")
    assert read_lock(tmp_path / "config/recordings/d.tsv", "d")
    before = files_below(tmp_path)
    run = _subprocess(ingest_arguments(tmp_path, modality, {}), tmp_path)
    assert run.returncode == 2
    assert run.stderr.startswith("neuropipe: ")
    assert run.stderr.count("\n") == 1
    assert fragment in run.stderr
    assert run.stdout == ""
    assert files_below(tmp_path) == before


@pytest.mark.parametrize(
    ("arguments", "fragment"),
    [
        (["../d", "data"], "'../d'"),
        (["-x", "data"], "x"),
        (["e", "nowhere"], "nowhere"),
        (["e", "data", "--modality", "eeg"], "eeg"),
        (["e", "openneuro:105"], "openneuro"),
        (["e", "dandi:abc"], "dandi"),
        (["e", "nilearn:../x"], "nilearn"),
        (["e", "simulate:brain"], "simulate"),
        (["e", "https://"], "e"),
        (["e", "file:///etc/passwd"], "passwd"),
        (["d", "data"], "already has d"),
    ],
)
def test_datasets_to_add(arguments, fragment, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    bids(tmp_path / "data")
    (tmp_path / "data_manifest.yaml").write_text(ENTRY)
    words = ["--title", "T", "--license", "CC0", "--citation", "us"]
    if arguments[0].startswith("-"):
        arguments = ["--", *arguments]
        words, arguments = [], [*words, *arguments]
    refused(tmp_path, [fragment], "manifest", "add", *arguments, *words)


@pytest.mark.parametrize(
    ("change", "fragment"),
    [
        (_put("uri", "file:///etc/passwd"), "file"),
        (_put("uri", "ftp://example.org/x"), "ftp"),
        (_put("uri", "https://user:secret@127.0.0.1:9/x"), "127.0.0.1"),
        (_put("uri", "nilearn:../x"), "nilearn"),
    ],
)
def test_addresses_of_fetch(change, fragment, locked):
    study, _ = locked
    lock = study / "config" / "recordings" / "d.tsv"
    lock.write_text(change(lock.read_text()))
    recording = read_lock(lock, "d")[0]
    (study / "data" / recording.files[0].path).unlink()
    before = files_below(study)
    run = neuropipe("fetch", recording.recording, "--dataset", "d", "--lock", lock, "--root",
                    study / "data")  # fmt: skip
    assert_refused(run, [fragment])
    assert "secret" not in run.error
    after = files_below(study)
    assert {name for name in after if "/.locks" not in name} == set(before)


def test_a_check_of_a_source_that_vanished(locked):
    import shutil

    study, _ = locked
    shutil.rmtree(study / "data")
    arguments = ["manifest", "check", "--manifest", study / "data_manifest.yaml"]
    refused(study, ["1 locks differ"], *arguments)
