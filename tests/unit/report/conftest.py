"""Pages of made-up results, built once a session: importing MNE takes a second."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from neuropipe.manifest import LockedFile, LockedRecording, write_lock
from neuropipe.report.commands import report_home, report_index, report_subject

from . import fakes

RUNS = [f"task-rest_run-{i:02d}" for i in range(1, 13)]


@dataclass(frozen=True)
class Study:
    """A dataset of three subjects: twelve runs, one run, and one whose results are missing."""

    root: Path
    lock: Path
    many: list[Path]
    one: list[Path]

    @property
    def results(self) -> Path:
        return self.root / fakes.DATASET

    def page(self, name: str) -> str:
        return (self.results / "report" / f"{name}.html").read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    root = tmp_path_factory.mktemp("study") / "results"
    folder = root / fakes.DATASET
    many = fakes.write_subject(folder, "01", RUNS)
    fakes.write_group(folder)
    one = fakes.write_subject(folder, "02", [""], seed=40)
    (folder / "recordings").mkdir()
    (folder / "recordings" / "sub-02.nc").touch()
    lock = root / "rest.tsv"
    names = [(path.name, "01") for path in many if path.parent.name == "quality"]
    names += [("sub-02", "02"), ("sub-03", "03")]
    file = LockedFile("data", "signals.tsv")
    write_lock(lock, [LockedRecording(name, s, "", "", "", (file,)) for name, s in names])
    found = Study(root, lock, many, one)
    pages = folder / "report"
    for subject, folders in (("01", many), ("02", one)):
        report_subject(
            dataset=fakes.CARD, subject=subject, results=folders, settings="",
            output=pages / f"sub-{subject}.html",
        )  # fmt: skip
    index = pages / "index.html"
    report_index(dataset=fakes.CARD, results=folder, lock=lock, output=index)
    report_home(indices=[index], output=root / "index.html")
    return found
