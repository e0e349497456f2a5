"""Datasets that nilearn fetches, arranged as a small BIDS derivative tree.

nilearn offers no listing, so such a dataset is fetched to be locked, and fetched again by the same
call on another machine; the lock's checksums prove that both got the same bytes.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from neuropipe.atomic import atomic_file
from neuropipe.errors import FetchError
from neuropipe.ingest.web import describe
from neuropipe.names import check_name

NILEARN = "nilearn:"
_DOWNLOADS = ".nilearn"  # hidden, so that listing the tree skips it
_URI = re.compile(r"nilearn:(adhd|development_fmri)\?n_subjects=([1-9]\d{0,3})")

# Names that fMRIPrep gives to the confounds of the ADHD set (its rotations have no stated unit and
# keep their own names, so that nothing takes degrees for radians).
_ADHD_CONFOUNDS = {
    "wm": "white_matter", "global": "global_signal",
    "motion-x": "trans_x", "motion-y": "trans_y", "motion-z": "trans_z",
}  # fmt: skip
_DEVELOPMENT_COLUMNS = {
    "Age": "age", "AgeGroup": "age_group", "Child_Adult": "group", "Gender": "sex",
    "Handedness": "handedness",
}  # fmt: skip


@dataclass(frozen=True)
class _Subject:
    """What the tree holds of one subject; `participant` is its row of participants.tsv."""

    name: str
    func: Path
    confounds: Path | pd.DataFrame
    participant: Mapping[str, Any]


def nilearn_uri(dataset: str, n_subjects: int) -> str:
    """Address that stands in a lock for a dataset fetched by nilearn."""
    return f"{NILEARN}{dataset}?n_subjects={n_subjects}"


def fetch_nilearn(uri: str, root: Path) -> None:
    """Fetch a dataset through nilearn and arrange it below `root`.

    Parameters
    ----------
    uri : str
        As `nilearn_uri` makes it.
    root : Path
        Gets ``participants.tsv`` and, for each subject, links to
        ``sub-X/func/sub-X_task-T_desc-preproc_bold.nii.gz`` and
        ``..._desc-confounds_timeseries.tsv``, with a JSON sidecar that holds the repetition time.

    Raises
    ------
    FetchError
        If the address is none of nilearn's or the download fails.
    """
    found = _URI.fullmatch(uri)
    if not found:
        raise FetchError(
            f"address {uri!r}", "nilearn:adhd or nilearn:development_fmri", "lock anew"
        )
    from nilearn import datasets

    fetch = getattr(datasets, f"fetch_{found[1]}")
    downloads = root / _DOWNLOADS
    try:
        downloads.mkdir(parents=True, exist_ok=True)
        bunch = fetch(n_subjects=int(found[2]), data_dir=str(downloads), verbose=0)
    except (OSError, ValueError, RuntimeError) as error:
        raise FetchError(
            f"nilearn could not fetch {found[1]}: {describe(error)}",
            "its files",
            "check the connection and HTTPS_PROXY, then run it again (it resumes)",
        ) from error
    task, subjects = _ADAPTERS[found[1]](bunch)
    # The repetition time is the one documented for the set: headers of resampled images often
    # carry a default of 1 s.
    _arrange(root, task, float(bunch.t_r), subjects, found[1])


def _development_fmri(bunch: Any) -> tuple[str, list[_Subject]]:
    """Children and adults watching a film; confounds come from fMRIPrep as they are."""
    rows = bunch.phenotypic.rename(columns=_DEVELOPMENT_COLUMNS).set_index("participant_id")
    subjects = []
    for func, confounds in zip(bunch.func, bunch.confounds, strict=True):
        name = Path(func).name.split("_")[0].removeprefix("sub-")
        row = rows.loc[f"sub-{name}", list(_DEVELOPMENT_COLUMNS.values())].to_dict()
        subjects.append(_Subject(name, Path(func), Path(confounds), row))
    return "pixar", subjects


def _adhd(bunch: Any) -> tuple[str, list[_Subject]]:
    """Resting state; the phenotypic table names its subjects by number, the files zero-padded."""
    table = bunch.phenotypic
    table = table.rename(columns={c: re.sub(r"\W+", "_", str(c)).lower() for c in table.columns})
    rows = {int(row["subject"]): row for row in table.to_dict("records")}
    subjects = []
    for func, confounds in zip(bunch.func, bunch.confounds, strict=True):
        name = Path(func).name.split("_")[0]
        frame = pd.read_csv(confounds, sep=None, engine="python", dtype=str)
        frame = frame.rename(columns=_ADHD_CONFOUNDS)
        row = {k: v for k, v in rows.get(int(name), {}).items() if k != "subject"}
        subjects.append(_Subject(name, Path(func), frame, row))
    return "rest", subjects


_ADAPTERS = {"development_fmri": _development_fmri, "adhd": _adhd}


def _arrange(root: Path, task: str, t_r: float, subjects: Sequence[_Subject], title: str) -> None:
    sidecar = {"TaskName": task, "RepetitionTime": t_r}
    for subject in subjects:
        label = f"sub-{check_name(subject.name, 'subject of nilearn')}"
        folder = root / label / "func"
        folder.mkdir(parents=True, exist_ok=True)
        stem = f"{label}_task-{task}"
        _link(subject.func, folder / f"{stem}_desc-preproc_bold.nii.gz")
        _write_text(folder / f"{stem}_desc-preproc_bold.json", json.dumps(sidecar, indent=2) + "\n")
        target = folder / f"{stem}_desc-confounds_timeseries.tsv"
        if isinstance(subject.confounds, Path):
            _link(subject.confounds, target)
        else:
            _write_text(target, subject.confounds.to_csv(sep="\t", index=False, na_rep="n/a"))
    rows = [{"participant_id": f"sub-{s.name}", **s.participant} for s in subjects]
    table = pd.DataFrame(rows).to_csv(sep="\t", index=False, na_rep="n/a")
    _write_text(root / "participants.tsv", table)
    description = {"Name": title, "BIDSVersion": "1.10.0", "DatasetType": "derivative"}
    _write_text(root / "dataset_description.json", json.dumps(description, indent=2) + "\n")


def _write_text(path: Path, text: str) -> None:
    with atomic_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _link(source: Path, target: Path) -> None:
    """Link to a file, or copy it where the file system has no links."""
    with atomic_file(target) as temporary:
        temporary.unlink()
        try:
            temporary.symlink_to(os.path.relpath(source, target.parent))
        except OSError:
            shutil.copyfile(source, temporary)
