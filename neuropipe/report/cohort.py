"""All subjects of a dataset: what is there of each, and who comes first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from neuropipe.errors import ResultError
from neuropipe.manifest import LockedRecording
from neuropipe.report.numbers import count
from neuropipe.report.settings import ReportSettings
from neuropipe.report.summary import QUALITY, Tally, find_metric, main_metric
from neuropipe.results import GROUP, Metric, Result

_OTHERS = {"report", "models", "predictions"}  # folders of a dataset that hold no results


@dataclass(frozen=True)
class Missing:
    """A result that is absent or broken, and why."""

    analysis: str
    recording: str
    reason: str


@dataclass
class SubjectResults:
    """What is there of one subject.

    Parameters
    ----------
    subject : str
    link : str
        Address of the subject's page, ``""`` where it is not written.
    n_recordings : int
        Recordings that the lock names.
    results : list of Result
    missing : list of Missing
        Results that are absent or broken.
    """

    subject: str
    link: str
    n_recordings: int
    results: list[Result] = field(default_factory=list)
    missing: list[Missing] = field(default_factory=list)

    @property
    def tally(self) -> Tally:
        """Verdicts of all the subject's checks."""
        return Tally.of(m.verdict for r in self.results for m in r.metrics)

    def median(self, analysis: str, name: str) -> float | None:
        """Median of a metric over the subject's recordings; None where there is no value."""
        metrics = (find_metric(r, name) for r in self.results if r.analysis == analysis)
        values = [m.value for m in metrics if m is not None and m.value is not None]
        return median(values) if values else None


def collect(
    folder: Path, recordings: Sequence[LockedRecording], pages: Path
) -> tuple[list[SubjectResults], list[Result], list[Missing]]:
    """Read what is there of a dataset.

    Parameters
    ----------
    folder : Path
        ``results/<dataset>``: one folder an analysis, in it one a recording.
    recordings : sequence of LockedRecording
    pages : Path
        Folder of the subjects' pages; links are relative to it.

    Returns
    -------
    subjects : list of SubjectResults
        In the order of their names.
    group : list of Result
        Results over the dataset.
    unfinished : list of Missing
        Absent or broken results of subjects and group.
    """
    analyses = _analyses(folder)
    each = _with_recordings(folder, analyses)
    of_subjects = _with_subjects(folder, each, {locked.subject for locked in recordings})
    subjects: dict[str, SubjectResults] = {}
    for locked in sorted(recordings, key=lambda r: (r.subject, r.recording)):
        page = f"sub-{locked.subject}.html"
        found = subjects.setdefault(
            locked.subject,
            SubjectResults(locked.subject, page if (pages / page).is_file() else "", 0),
        )
        found.n_recordings += 1
        for analysis in each:
            if analysis not in of_subjects:
                _read(folder / analysis / locked.recording, found.results, found.missing)
    for found in subjects.values():
        for analysis in of_subjects:
            _read(folder / analysis / f"sub-{found.subject}", found.results, found.missing)
    group: list[Result] = []
    unfinished = [missing for s in subjects.values() for missing in s.missing]
    for analysis in analyses:
        if (folder / analysis / GROUP).exists():
            _read(folder / analysis / GROUP, group, unfinished)
    return list(subjects.values()), group, unfinished


def _analyses(folder: Path) -> list[str]:
    """Folders of results, the quality checks first; neither pages, models nor recordings' files."""
    names = sorted(p.name for p in folder.iterdir() if p.name not in _OTHERS and _folders(p))
    return sorted(names, key=lambda name: name != QUALITY)


def _folders(folder: Path) -> list[str]:
    if not folder.is_dir():
        return []
    return [p.name for p in folder.iterdir() if p.is_dir() and not p.name.startswith(".")]


def _with_recordings(folder: Path, analyses: Sequence[str]) -> list[str]:
    """Choose what each recording must have: quality, and all that some recording has."""
    found = [a for a in analyses if set(_folders(folder / a)) - {GROUP}]
    return found if QUALITY in found else [QUALITY, *found]


def _with_subjects(folder: Path, analyses: Sequence[str], subjects: set[str]) -> list[str]:
    """Analyses whose results are one a subject, over all its recordings."""
    names = {f"sub-{subject}" for subject in subjects}
    return [a for a in analyses if a != QUALITY and set(_folders(folder / a)) - {GROUP} <= names]


def _read(folder: Path, results: list[Result], missing: list[Missing]) -> None:
    analysis, recording = folder.parent.name, folder.name
    if not folder.is_dir():
        missing.append(Missing(analysis, recording, "no result"))
        return
    try:
        results.append(Result.read(folder, arrays=False))
    except ResultError as error:
        reason = error.given.removeprefix(f"{folder}: ")
        missing.append(Missing(analysis, recording, reason))


def unfinished_words(missing: Iterable[Missing]) -> list[str]:
    """Say what is not finished, the same analysis and reason in one line."""
    found: dict[tuple[str, str], list[str]] = {}
    for one in missing:
        found.setdefault((one.analysis, one.reason), []).append(one.recording)
    return [
        f"{analysis}: {reason} in {count(len(names), 'recording')} ({', '.join(names)})"
        if names != [GROUP]
        else f"{analysis}: {reason} in the dataset"
        for (analysis, reason), names in found.items()
    ]


def ranking_metric(subjects: Sequence[SubjectResults], settings: ReportSettings) -> Metric | None:
    """Find the quality metric that orders subjects with equal verdicts, if there is one."""
    quality = [r for s in subjects for r in s.results if r.analysis == QUALITY]
    return main_metric(quality, settings.rank_metric)


def rank(subjects: Sequence[SubjectResults], settings: ReportSettings) -> list[SubjectResults]:
    """Order subjects from the soundest to the worst.

    Parameters
    ----------
    subjects : sequence of SubjectResults
    settings : ReportSettings

    Returns
    -------
    list of SubjectResults
        By the share of bad checks, then of doubtful ones, then by the main quality metric, then by
        name. Subjects without any verdict come last.
    """
    main = ranking_metric(subjects, settings)

    def key(subject: SubjectResults) -> tuple[Any, ...]:
        value = None if main is None else subject.median(QUALITY, main.name)
        sign = -1.0 if main is None or main.better != "lower" else 1.0
        tie = (1, 0.0) if value is None else (0, sign * value)
        return (*subject.tally.badness, *tie, subject.subject)

    return sorted(subjects, key=key)
