"""The numbers of a dataset's representations: each beside a baseline, chance and an interval."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr

from neuropipe.results import Metric, Verdict, finite
from neuropipe.stats.resampling import bootstrap_interval
from neuropipe.trsa.fit_group import GroupRepresentations, Identified
from neuropipe.trsa.settings import TrsaSettings
from neuropipe.trsa.topology.families import BEST, NESTED, RANK
from neuropipe.trsa.topology.grid import CATEGORIES

__all__ = ["group_arrays", "group_facts", "group_metrics", "group_warnings"]

_FEW_SUBJECTS = 6  # below, the smallest p of a sign flip is above .05
_MOST_MODELS = 4


def group_metrics(group: GroupRepresentations, settings: TrsaSettings) -> list[Metric]:
    """Agreement of subjects, models beside the ceiling, identification beside the rank RDM.

    Parameters
    ----------
    group : GroupRepresentations
    settings : TrsaSettings
    """
    metrics = _agreement(group, settings)
    metrics += _models(group, settings)
    if group.identified is not None:
        metrics += _identification(group.identified, settings)
    return metrics


def _agreement(group: GroupRepresentations, settings: TrsaSettings) -> list[Metric]:
    return [
        Metric(
            name=f"subjects agree: {region}",
            value=float(values.mean()),
            description=f"Likeness ({settings.comparison}) of each subject's mean RDM to that of "
            "the others; higher is better. Interval over subjects."
            if k == 0
            else "",
            chance=0.0,
            interval=bootstrap_interval(values, seed=settings.seed) if len(values) > 2 else None,
            n=len(values),
            seed=settings.seed,
            split="one subject left out at a time",
            better="higher",
        )
        for k, (region, values) in enumerate(group.agreement.items())
        if np.isfinite(values).all()
    ]


def _models(group: GroupRepresentations, settings: TrsaSettings) -> list[Metric]:
    """The best models of the first region, and of every other region the best one."""
    metrics: list[Metric] = []
    for k, (region, evaluation) in enumerate(group.evaluations.items()):
        table = evaluation.table().sort_values("score", ascending=False, kind="stable")
        ceiling = evaluation.ceiling
        for _, row in table.head(_MOST_MODELS if k == 0 else 1).iterrows():
            p = float(row["p_zero"])
            verdict: Verdict = "good" if p <= settings.alpha else "doubtful"
            metrics.append(
                Metric(
                    name=f"model {row['model']}: {region}",
                    value=float(row["score"]),
                    description=(
                        ""
                        if metrics
                        else f"Likeness ({settings.comparison}) of the model's RDM to the "
                        "subjects', mean; higher is better. The baseline is the lower noise "
                        "ceiling, which a model as good as the other subjects reaches; interval "
                        f"and p (of no relation) are for new {_scope(evaluation.new)}. "
                    )
                    + f"p {p:.2g}.",
                    baseline=None if ceiling is None else finite(float(ceiling.value[0])),
                    baseline_name="other subjects",
                    chance=0.0,
                    interval=(float(row["low"]), float(row["high"])),
                    n=len(evaluation.subjects),
                    seed=settings.seed,
                    verdict=verdict if k == 0 and row["model"] == table["model"].iloc[0] else None,
                    bounds=f"good when p is at most {settings.alpha:g}, else doubtful",
                    better="higher",
                )
            )
    return metrics


def _scope(new: str) -> str:
    return "subjects and conditions" if new == "both" else new


def _identification(found: Identified, settings: TrsaSettings) -> list[Metric]:
    """Every family beside the rank RDM; the best cell chosen on the data it is scored on is not."""
    table = found.accuracies.table.set_index("family")
    rank = 100 * float(table["accuracy"].loc[RANK])
    metrics: list[Metric] = []
    first = (
        f"RDMs of a left-out {found.across} that are nearest to the mean of their own {found.what} "
        "in the others; higher is better. Below, differences to the rank RDM with interval and p. "
    )
    for family, row in table.iterrows():
        if family == BEST:
            continue
        words = (
            "Thresholds chosen without the one that is scored."
            if family == NESTED
            else "Mean over cells of the category."
            if family in CATEGORIES
            else ""
        )
        tested = (
            f" {100 * row['difference']:+.1f} % "
            f"({100 * row['difference_low']:.1f} to {100 * row['difference_high']:.1f}), p "
            f"{row['p_value']:.2g} ({row['p_holm']:.2g} Holm-corrected)."
            if family != RANK and np.isfinite(row["p_value"])
            else ""
        )
        metrics.append(
            Metric(
                name=f"{found.what}s identified: {family}",
                value=100 * float(row["accuracy"]),
                unit="%",
                description=f"{'' if metrics else first}{words}{tested}".strip(),
                baseline=None if family == RANK else rank,
                baseline_name="" if family == RANK else RANK,
                chance=100 * found.accuracies.chance,
                interval=(100 * float(row["low"]), 100 * float(row["high"])),
                n=len(found.accuracies.subjects),
                seed=settings.seed,
                split=f"one {found.across} left out at a time",
                better="higher",
            )
        )
    return metrics


def group_facts(group: GroupRepresentations) -> dict[str, str]:
    """Short facts for the overview.

    Parameters
    ----------
    group : GroupRepresentations
    """
    table = group.rdms.table
    facts = {
        "RDMs": f"{len(table)}, from {table['subject'].nunique()} subjects",
        "conditions": str(group.rdms.n_conditions),
        "regions": ", ".join(group.regions),
    }
    if group.rdms.measure:
        facts["dissimilarity"] = group.rdms.measure
    if group.identified is not None:
        low, high = group.identified.accuracies.best_cell
        facts["best cell"] = f"({low:g}, {high:g}), chosen on the data it is scored on"
    return facts


def group_warnings(group: GroupRepresentations) -> list[str]:
    """What a reader must know before trusting the numbers.

    Parameters
    ----------
    group : GroupRepresentations
    """
    warnings = list(group.warnings)
    found = group.identified
    if found is not None and len(found.accuracies.subjects) < _FEW_SUBJECTS:
        n = len(found.accuracies.subjects)
        warnings.append(
            f"{n} {found.across}s: intervals over them are too narrow, and no difference of "
            f"identification can reach p .05 (the least is {2 ** (1 - n):.2g})."
        )
    return warnings


def group_arrays(group: GroupRepresentations) -> xr.DataTree:
    """Arrays of a dataset for ``result.nc``.

    Parameters
    ----------
    group : GroupRepresentations

    Returns
    -------
    xarray.DataTree
        The root holds all RDMs, in the layout of `neuropipe.trsa.files.rdm_files`, and the models;
        groups ``models`` (scores, a row a ``model_name`` and ``region``), ``differences`` (of
        models), ``agreement``, ``identification`` (a row a family) and ``grid`` (accuracy of every
        cell).
    """
    table = group.rdms.table
    root = xr.Dataset(
        {
            "dissimilarity": (("rdm", "pair"), group.rdms.dissimilarities),
            **{name: ("rdm", table[name].astype(str).to_numpy(object)) for name in _ITEMS},
        },
        coords={"condition": np.array(group.rdms.conditions, dtype=object)},
        attrs={"measure": group.rdms.measure, "new": group.new},
    )
    if group.models is not None:
        root["model_dissimilarity"] = (("model", "pair"), group.models.dissimilarities)
        root = root.assign_coords(model=group.models.table["name"].astype(str).to_numpy(object))
    parts: dict[str, xr.Dataset] = {"/": root}
    for name, rows in (("models", "table"), ("differences", "difference_table")):
        frames = [
            # The root's coordinate `model` would hide a column of that name.
            getattr(evaluation, rows)()
            .rename(columns={"model": "model_name"})
            .assign(region=region)
            for region, evaluation in group.evaluations.items()
        ]
        if frames:
            parts[name] = _rows(pd.concat(frames, ignore_index=True))
    parts["agreement"] = _rows(
        pd.DataFrame(
            [
                (region, name, value)
                for region, values in group.agreement.items()
                for name, value in zip(
                    dict.fromkeys(group.of_region(region).table["subject"]), values, strict=True
                )
            ],
            columns=["region", "subject", "likeness"],
        )
    )
    if group.identified is not None:
        found = group.identified.accuracies
        parts["identification"] = _rows(found.table)
        parts["grid"] = xr.Dataset(
            {
                "accuracy": (("cell", "left_out"), found.grid),
                "lower": ("cell", found.cells[:, 0]),
                "upper": ("cell", found.cells[:, 1]),
            },
            coords={"left_out": np.array(found.subjects, dtype=object)},
        )
    return xr.DataTree.from_dict(parts)


_ITEMS = ("subject", "session", "region")


def _rows(table: pd.DataFrame) -> xr.Dataset:
    columns = {}
    for name, values in table.items():
        number = pd.api.types.is_numeric_dtype(values)
        kept = values.to_numpy() if number else values.astype(str).to_numpy(object)
        columns[str(name)] = ("row", kept)
    return xr.Dataset(columns)
