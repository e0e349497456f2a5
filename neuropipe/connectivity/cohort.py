"""The connectivity of all subjects of a dataset, on the units that they share.

Axis legend: s subjects, n shared units, e edges (the upper triangle, row by row).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from neuropipe.connectivity.data import Series, usable_series
from neuropipe.connectivity.fit import regularised
from neuropipe.connectivity.settings import ConnectivitySettings
from neuropipe.connectivity.structure import homologous_mean, network_contrast, same_network
from neuropipe.dataset import usable
from neuropipe.prediction.participants import participant_labels, participants_table
from neuropipe.recording import Recording
from neuropipe.stats.connectivity_matrices import correlation, edges, fisher_z
from neuropipe.units import are_anonymous, column, homologous_pairs

__all__ = ["Cohort", "RunConnectivity", "build_cohort", "run_connectivity"]


@dataclass(frozen=True)
class RunConnectivity:
    """What a dataset's result needs of one recording.

    Parameters
    ----------
    recording, subject : str
    units : pandas.DataFrame
        Usable units.
    session : str
    anonymous : bool
        Whether the units' names mean nothing in another subject or session.
    correlation, covariance : array of shape (n_units, n_units), float32
        The latter regularised, of standardised series.
    summary : dict of str to float
        ``mean``, and ``homologous`` and ``contrast`` where they apply.
    participant : dict
        The participant's labels, and the mean displacement where it is known.
    duration : float
        In s.
    """

    recording: str
    subject: str
    session: str
    units: pd.DataFrame
    anonymous: bool
    correlation: np.ndarray
    covariance: np.ndarray
    summary: dict[str, float]
    participant: dict[str, Any]
    duration: float


def run_connectivity(recording: Recording, settings: ConnectivitySettings) -> RunConnectivity:
    """Compute what a dataset's result needs of one recording.

    Parameters
    ----------
    recording : Recording
    settings : ConnectivitySettings

    Raises
    ------
    UnfitRecordingError
        If the recording cannot be used.
    """
    series = usable_series(recording, settings)
    matrix = correlation(series.values)
    covariance, _ = regularised(series, settings)
    return RunConnectivity(
        recording=recording.recording,
        subject=recording.subject,
        session=recording.session,
        units=series.units,
        anonymous=are_anonymous(recording.modality, series.names),
        correlation=matrix.astype(np.float32),
        covariance=covariance.astype(np.float32),
        summary=_summary(series, matrix),
        participant=participant_labels(recording),
        duration=series.duration,
    )


def _summary(series: Series, matrix: np.ndarray) -> dict[str, float]:
    summary = {"mean": float(edges(matrix).mean())}
    pairs = homologous_pairs(series.units)
    if len(pairs):
        summary["homologous"] = homologous_mean(matrix, pairs)
    networks = column(series.units, "network")
    if networks is not None:
        within, between = network_contrast(matrix, same_network(networks))
        summary |= {"within": within, "between": between, "contrast": within - between}
    return summary


@dataclass(frozen=True)
class Cohort:
    """All subjects of a dataset.

    Parameters
    ----------
    subjects : list of str
    participants : pandas.DataFrame
        Labels, one row a subject, as read (mixed types).
    summary : pandas.DataFrame
        Means over each subject's runs of `RunConnectivity.summary`; ``duration`` (s) and ``runs``
        are sums.
    units : pandas.DataFrame
        Shared units; empty where fewer than `min_units` are shared.
    z : array of shape (n_subjects, n_edges), float32
        Fisher's z of correlations, mean over runs.
    covariances : array of shape (n_subjects, n_units, n_units), float32
        Regularised, mean over runs.
    run_z : array of shape (n_runs, n_edges), float32
        The runs' own, in the order of `run_subject`.
    run_subject : array of int of shape (n_runs,)
        Position of each run's subject.
    warnings : list of str
    """

    subjects: list[str]
    participants: pd.DataFrame
    summary: pd.DataFrame
    units: pd.DataFrame
    z: np.ndarray
    covariances: np.ndarray
    run_z: np.ndarray
    run_subject: np.ndarray
    warnings: list[str] = field(default_factory=list)

    @property
    def n_subjects(self) -> int:
        """Number of subjects."""
        return len(self.subjects)

    @property
    def shares_units(self) -> bool:
        """Whether matrices of different subjects can be compared."""
        return len(self.units) > 0


def build_cohort(
    recordings: Iterable[Recording], dataset: str, settings: ConnectivitySettings
) -> Cohort:
    """Compute the connectivity of all subjects.

    Recordings that cannot be used are left out with a warning.

    Parameters
    ----------
    recordings : iterable of Recording
        Read one at a time; only matrices are kept.
    dataset : str
        For messages.
    settings : ConnectivitySettings

    Raises
    ------
    UnfitRecordingError
        If no recording can be used.
    """
    runs, warnings = usable(
        recordings,
        lambda one: run_connectivity(one, settings),
        dataset,
        "leave connectivity out of this dataset's analyses",
    )
    subjects = list(dict.fromkeys(run.subject for run in runs))
    units, notes = _shared_units(runs, settings)
    labels, conflicts = participants_table([(run.subject, run.participant) for run in runs])
    run_subject = np.array([subjects.index(run.subject) for run in runs])
    run_z, covariances = _aligned(runs, list(units.index))
    owner = run_subject[None, :] == np.arange(len(subjects))[:, None]
    share = owner / owner.sum(axis=1, keepdims=True)
    return Cohort(
        subjects=subjects,
        participants=labels,
        summary=_summaries(runs, subjects),
        units=units,
        z=(share @ run_z).astype(np.float32),
        covariances=np.tensordot(share, covariances, axes=1).astype(np.float32),
        run_z=run_z,
        run_subject=run_subject,
        warnings=warnings + notes + conflicts,
    )


def _shared_units(
    runs: list[RunConnectivity], settings: ConnectivitySettings
) -> tuple[pd.DataFrame, list[str]]:
    first = runs[0].units
    one_session = len({(run.subject, run.session) for run in runs}) == 1
    if any(run.anonymous for run in runs) and not one_session:
        return first.iloc[:0], [
            "Units are numbered, not named: they cannot be matched between subjects or sessions, "
            "so that nothing is compared or predicted."
        ]
    common = set.intersection(*(set(run.units.index) for run in runs))
    shared = first.loc[[name in common for name in first.index]]
    most = max(len(run.units) for run in runs)
    if len(shared) < settings.min_units:
        return first.iloc[:0], [
            f"Only {len(shared)} units are shared by all recordings (of up to {most}): nothing is "
            "compared or predicted."
        ]
    if len(shared) < most:
        fewest = min(runs, key=lambda run: len(run.units))
        return shared, [
            f"{len(shared)} units are shared by all recordings; up to {most - len(shared)} others "
            f"of a recording are left out here (fewest: {len(fewest.units)}, in "
            f"{fewest.recording})."
        ]
    return shared, []


def _aligned(runs: list[RunConnectivity], names: list[str]) -> tuple[np.ndarray, np.ndarray]:
    n = len(names)
    run_z = np.empty((len(runs), n * (n - 1) // 2), dtype=np.float32)
    covariances = np.empty((len(runs), n, n), dtype=np.float32)
    for i, run in enumerate(runs):
        where = run.units.index.get_indexer(pd.Index(names, dtype=object))
        run_z[i] = fisher_z(edges(run.correlation[np.ix_(where, where)]).astype(np.float64))
        covariances[i] = run.covariance[np.ix_(where, where)]
    return run_z, covariances


def _summaries(runs: list[RunConnectivity], subjects: list[str]) -> pd.DataFrame:
    table = pd.DataFrame([run.summary for run in runs])
    table["subject"] = [run.subject for run in runs]
    mean = table.groupby("subject", sort=False).mean()
    durations = pd.Series([run.duration for run in runs]).groupby(table["subject"].to_numpy())
    return mean.assign(duration=durations.sum(), runs=durations.size()).loc[subjects]
