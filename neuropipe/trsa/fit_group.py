"""RDMs of several subjects: what they share, which models explain them, what tells regions apart.

Axes: m items (RDMs), s subjects, r regions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from neuropipe.errors import UnfitRecordingError
from neuropipe.trsa.arrays import Stored
from neuropipe.trsa.comparison.compare import compare
from neuropipe.trsa.fit import ALL
from neuropipe.trsa.inference.evaluation import Evaluation, New, evaluate
from neuropipe.trsa.inference.models import fixed_models
from neuropipe.trsa.rdms import RDMs, concatenate
from neuropipe.trsa.settings import TrsaSettings
from neuropipe.trsa.topology.families import (
    GEODESIC,
    FamilyAccuracies,
    Representation,
    family_accuracies,
    geodesic_vectors,
)
from neuropipe.trsa.topology.homology import persistence_vectors

__all__ = [
    "HOMOLOGY",
    "GroupRepresentations",
    "Identified",
    "fit_group",
    "joined",
    "shared_rdms",
]

HOMOLOGY = "homology"
_MOST_HOMOLOGY = 100  # conditions; beyond, persistence of every RDM costs too much
_FEWEST_SUBJECTS = 2


@dataclass(frozen=True, eq=False)
class Identified:
    """Identification of regions across subjects, or of subjects across sessions.

    Parameters
    ----------
    what, across : str
        ``"region"`` across ``"subject"``, or ``"subject"`` across ``"session"``.
    rows : array of int of shape (m,)
        Items that take part.
    accuracies : FamilyAccuracies
    """

    what: str
    across: str
    rows: np.ndarray
    accuracies: FamilyAccuracies


@dataclass(frozen=True, eq=False)
class GroupRepresentations:
    """RDMs of several subjects over the same conditions.

    Parameters
    ----------
    rdms : RDMs
        Columns ``subject``, ``session``, ``region``.
    conditions : pandas.DataFrame
        What is known of them.
    models : RDMs or None
        Those that every subject was compared with.
    regions : tuple of str
        Of which two subjects or more have RDMs; all units first.
    new : {"subjects", "conditions", "both"}
        What the evaluations are to hold for.
    evaluations : dict of str to Evaluation
        Models by region, where there are models.
    agreement : dict of str to array of shape (s,)
        By region, likeness of each subject's RDM to the mean of the others' (the lower noise
        ceiling).
    identified : Identified or None
        None where there is neither a choice of regions nor of sessions.
    warnings : tuple of str
    """

    rdms: RDMs
    conditions: pd.DataFrame
    models: RDMs | None
    regions: tuple[str, ...]
    new: New
    evaluations: dict[str, Evaluation]
    agreement: dict[str, np.ndarray]
    identified: Identified | None
    warnings: tuple[str, ...]

    def of_region(self, region: str) -> RDMs:
        """RDMs of one region."""
        return self.rdms.take(self.rdms.table["region"].to_numpy() == region)


def shared_rdms(stored: Sequence[Stored]) -> tuple[list[Stored], list[str]]:
    """Keep the sets of responses that share their conditions with most others.

    Parameters
    ----------
    stored : sequence of Stored
        Of all subjects.

    Returns
    -------
    kept : list of Stored
    warnings : list of str

    Raises
    ------
    UnfitRecordingError
        If no two subjects share their conditions.
    """
    groups: dict[tuple[frozenset[str], str], list[Stored]] = {}
    for one in stored:
        groups.setdefault((frozenset(one.rdms.conditions), one.measure), []).append(one)
    if not groups:
        raise UnfitRecordingError(
            "no subject has representations",
            "at least two",
            "look at the subjects' sections for why, or set analyses: {trsa: false}",
        )
    kept = max(groups.values(), key=lambda found: len({one.subject for one in found}))
    n = len({one.subject for one in kept})
    if n < _FEWEST_SUBJECTS:
        raise UnfitRecordingError(
            "no two subjects share all their conditions and their measure",
            "the same conditions in at least two",
            "exclude conditions that few have (responses: {exclude: [...]})",
        )
    left_out = sorted({one.subject for one in stored} - {one.subject for one in kept})
    warnings = []
    if left_out:
        warnings.append(
            f"Subjects with other conditions or another measure were left out: "
            f"{', '.join(left_out[:8])}{' and more' if len(left_out) > 8 else ''}."
        )
    return kept, warnings


def fit_group(
    rdms: RDMs,
    conditions: pd.DataFrame,
    models: RDMs | None,
    settings: TrsaSettings,
    warnings: Sequence[str] = (),
) -> GroupRepresentations:
    """Compare RDMs of several subjects.

    Parameters
    ----------
    rdms : RDMs
        Columns ``subject``, ``session``, ``region``.
    conditions : pandas.DataFrame
        Indexed by condition.
    models : RDMs or None
        Column ``name``; of the same conditions.
    settings : TrsaSettings
    warnings : sequence of str
        What was said before.

    Returns
    -------
    GroupRepresentations

    Raises
    ------
    UnfitRecordingError
        If no region is known from two subjects.
    """
    table = rdms.table
    said = list(warnings)
    n_subjects = table.groupby("region", sort=False)["subject"].nunique()
    regions = tuple(map(str, n_subjects.index[n_subjects >= _FEWEST_SUBJECTS]))
    if not regions:
        raise UnfitRecordingError(
            f"{len(rdms)} RDMs of which no two subjects share a region",
            "RDMs of one region (or of all units) from at least two subjects",
            "add subjects, or name them and the regions in a table of items",
        )
    new: New = settings.new
    evaluations: dict[str, Evaluation] = {}
    agreement: dict[str, np.ndarray] = {}
    for region in regions:
        own = rdms.take((table["region"] == region).to_numpy())
        agreement[region] = _agreement(own, settings.comparison)
        if models is None:
            continue
        try:
            evaluations[region] = evaluate(
                fixed_models(models),
                own,
                measure=settings.comparison,
                new=new,
                n_bootstrap=settings.n_bootstrap,
                n_permutations=settings.n_permutations,
                seed=settings.seed,
            )
        except UnfitRecordingError as error:
            said.append(f"Models of {region} were not compared: {error.given}.")
    identified, reason = _identified(rdms, settings)
    return GroupRepresentations(
        rdms=rdms,
        conditions=conditions,
        models=models,
        regions=regions,
        new=new,
        evaluations=evaluations,
        agreement=agreement,
        identified=identified,
        warnings=(*said, *reason),
    )


def _agreement(rdms: RDMs, comparison: str) -> np.ndarray:
    """Likeness of each subject's mean RDM to the mean of the others', shape (s,)."""
    subjects = rdms.table["subject"].to_numpy()
    names = list(dict.fromkeys(subjects))
    means = [rdms.take(subjects == name).mean() for name in names]
    return np.array(
        [
            compare(one[None], np.mean(means[:k] + means[k + 1 :], axis=0)[None], comparison)[0, 0]
            for k, one in enumerate(means)
        ]
    )


def _identified(rdms: RDMs, settings: TrsaSettings) -> tuple[Identified | None, list[str]]:
    """Tell regions apart across subjects, or subjects across sessions."""
    table = rdms.table
    parts = table["region"].to_numpy() != ALL
    if len(set(table.loc[parts, "region"])) > 1:
        what, across, rows = "region", "subject", parts
        few = table[parts].groupby("region")["subject"].nunique()
        rows = parts & ~table["region"].isin(few.index[few < _FEWEST_SUBJECTS]).to_numpy()
    else:
        what, across = "subject", "session"
        rows = ~parts if (~parts).any() else parts
        few = table[rows].groupby("subject")["session"].nunique()
        rows = rows & ~table["subject"].isin(few.index[few < _FEWEST_SUBJECTS]).to_numpy()
    chosen = np.flatnonzero(rows)
    if len(set(table[what].to_numpy()[chosen])) < 2:
        return None, []
    items = table.iloc[chosen]
    values = rdms.dissimilarities[chosen]
    try:
        found = family_accuracies(
            values,
            items[across].to_numpy(),
            items[what].to_numpy(),
            representations=_representations(values),
            step=settings.topology.step,
            n_cells=settings.topology.n_cells,
            seed=settings.seed,
        )
    except UnfitRecordingError as error:
        return None, [f"{what.capitalize()}s were not identified: {error.given}."]
    return Identified(what, across, chosen, found), []


def _representations(values: np.ndarray) -> dict[str, Representation]:
    """Families beside those of the grid; homology only where it can be had."""
    families: dict[str, Representation] = {GEODESIC: geodesic_vectors}
    n = round((1 + np.sqrt(1 + 8 * values.shape[1])) / 2)
    if n <= _MOST_HOMOLOGY and np.isfinite(values).all():
        families[HOMOLOGY] = lambda rdms: persistence_vectors(rdms, squared=True)
    return families


def joined(stored: Sequence[Stored]) -> tuple[RDMs, RDMs | None]:
    """RDMs of all, and the models that all were compared with."""
    rdms = concatenate([one.rdms for one in stored])
    known = [one.models for one in stored]
    if any(one is None for one in known):
        return rdms, None
    first = known[0]
    assert first is not None
    names = set(first.table["name"])
    for one in known[1:]:
        assert one is not None
        names &= set(one.table["name"])
    shared = first.table["name"].isin(names).to_numpy()
    return rdms, first.of(rdms.conditions).take(shared) if shared.any() else None
