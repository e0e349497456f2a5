"""Pages of real recordings: twelve fMRI runs of one subject, and a worm."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from neuropipe.connectivity.commands import connectivity_recording
from neuropipe.ingest.read import discover, read_recording
from neuropipe.ingest.settings import READ_SETTINGS
from neuropipe.ingest.source import SourceFiles
from neuropipe.manifest import write_lock
from neuropipe.quality.commands import quality
from neuropipe.report.commands import report_index, report_subject
from neuropipe.results import Result

from ..unit.report.html import Page


def pages(root: Path, modality: str, tmp_path: Path) -> tuple[str, str, float]:
    """Run a folder's only subject through; return its page, its index and the page's CPU time."""
    settings = READ_SETTINGS[modality]()
    paths = [p.relative_to(root).as_posix() for p in root.rglob("*") if p.is_file()]
    found = discover(paths, modality, settings)
    write_lock(tmp_path / "lock.tsv", found)
    results, folders = tmp_path / "results" / "real", []
    for locked in found:
        recording = tmp_path / f"{locked.recording}.nc"
        read_recording(SourceFiles("real", root, locked), modality, settings).write(recording)
        folders += [results / a / locked.recording for a in ("quality", "connectivity")]
        quality(recording, "", folders[-2])
        connectivity_recording(recording=recording, settings="", output=folders[-1])
    card = json.dumps(
        {"name": "real", "title": "T", "modality": modality, "license": "L", "citation": "C"}
    )
    subject = found[0].subject
    page, index = results / "report" / f"sub-{subject}.html", results / "report" / "index.html"
    started = time.process_time()
    report_subject(dataset=card, subject=subject, results=folders, settings="", output=page)
    spent = time.process_time() - started
    report_index(dataset=card, results=results, lock=tmp_path / "lock.tsv", output=index)
    for folder in folders:
        for metric in Result.read(folder, arrays=False).metrics:
            assert metric.name in page.read_text(encoding="utf-8")
    return page.read_text(encoding="utf-8"), index.read_text(encoding="utf-8"), spent


@pytest.mark.slow
def test_twelve_runs_of_haxby_make_one_light_page(shared_data: Path, tmp_path: Path) -> None:
    html, index, spent = pages(shared_data / "bids-haxby", "fmri", tmp_path)
    page = Page(html)
    assert len(html.encode()) < 2_500_000
    assert spent < 4.0
    assert [load for load in page.loads if not load.startswith("data:")] == []
    assert "Recordings 12" in page.text
    for run in range(1, 13):
        assert f"run-{run:02d}" in page.text
    assert "Not finished" not in Page(index).text


def test_a_worm_has_its_neurons_and_figures(shared_data: Path, tmp_path: Path) -> None:
    html, _, _ = pages(shared_data / "nwb-worm", "calcium", tmp_path)
    page = Page(html)
    assert "98 neurons" in page.text
    assert "Caenorhabditis elegans" in page.text
    assert len([i for i in page.images if i["alt"] != "MNE"]) >= 3
    assert len(html.encode()) < 1_000_000
