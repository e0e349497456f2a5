"""Arrays of a subject's representations in ``result.nc``, and reading them again.

The layout is that of `neuropipe.trsa.files.rdm_files`: ``dissimilarity`` of (rdm, pair), pairs in
the order of ``scipy.spatial.distance.pdist`` over ``condition``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from neuropipe.errors import ResultError
from neuropipe.results import Result
from neuropipe.trsa.controls import N_DROPPED
from neuropipe.trsa.fit import Region, Representations
from neuropipe.trsa.inference.testing import TTest
from neuropipe.trsa.rdms import RDMs

__all__ = ["Stored", "read_stored", "subject_arrays"]

_TABLE = "condition_"  # prefix of the columns of the table of conditions
_TEXTS = ("measure", "comparison", "folds", "session", "name")


def subject_arrays(found: Sequence[Representations], comparison: str) -> xr.Dataset | xr.DataTree:
    """Lay out a subject's RDMs, their reliability, topology and the scores of models.

    Parameters
    ----------
    found : sequence of Representations
    comparison : str
        How RDMs were compared.

    Returns
    -------
    xarray.Dataset or xarray.DataTree
        A dataset for one set of responses; a tree with one child ``set1``, ``set2``... for each of
        several.
    """
    sets = [_dataset(one, comparison) for one in found]
    if len(sets) == 1:
        return sets[0]
    return xr.DataTree.from_dict({f"set{k + 1}": one for k, one in enumerate(sets)})


def _maps(found: Representations) -> xr.Dataset:
    """RDMs over time; scores and mean dissimilarity about every unit."""
    arrays: dict[str, Any] = {}
    coords: dict[str, Any] = {}
    if found.course is not None:
        arrays["course_dissimilarity"] = (("time", "pair"), found.course.rdms.dissimilarities)
        arrays["course_to_whole"] = ("time", found.course.to_whole)
        coords["time"] = ("time", found.course.rdms.table["time"].to_numpy(), {"units": "s"})
        if found.course.models:
            arrays["course_score"] = (("time", "model"), found.course.scores)
    if found.places is not None:
        for name, values in found.places.centres.items():
            kept = values.to_numpy()
            arrays[f"centre_{name}"] = ("centre", kept.astype(object) if name == "unit" else kept)
        if found.places.models:
            arrays["centre_score"] = (("centre", "model"), found.places.scores)
    return xr.Dataset(arrays, coords=coords)


def _dataset(found: Representations, comparison: str) -> xr.Dataset:
    responses = found.responses
    names = np.array(found.rdms.conditions, dtype=object)
    data = xr.Dataset(
        {
            "dissimilarity": (
                ("rdm", "pair"),
                found.rdms.dissimilarities,
                {"long_name": f"{found.measure} dissimilarity"},
            ),
            "region": ("rdm", np.array([one.name for one in found.regions], dtype=object)),
            "n_units": ("rdm", np.array([one.n_units for one in found.regions])),
            "reliability": ("rdm", np.array([one.reliability.value for one in found.regions])),
            "reliability_p": ("rdm", np.array([one.reliability.p for one in found.regions])),
            "accuracy": ("rdm", np.array([one.discrimination.accuracy for one in found.regions])),
            "accuracy_p": ("rdm", np.array([one.discrimination.p for one in found.regions])),
        },
        coords={"condition": names},
        attrs={
            "measure": found.measure,
            "comparison": comparison,
            "folds": responses.folds,
            "session": responses.session,
            "name": responses.name,
            "recordings": " ".join(responses.recordings),
        },
    )
    for column, values in responses.conditions.items():
        kept = values.to_numpy()
        number = pd.api.types.is_numeric_dtype(values)
        data[f"{_TABLE}{column}"] = (
            "condition",
            kept if number else kept.astype(str).astype(object),
        )
    if found.models is not None:
        data = data.merge(_models(found.models, found.regions))
    if found.controls is not None:
        data["score_partial"] = ("model", found.controls.partial)
        data["score_dropped"] = (("n_dropped", "model"), found.controls.dropped)
        data = data.assign_coords(n_dropped=list(N_DROPPED))
        data.attrs["nuisances"] = ", ".join(found.controls.nuisances)
    data = data.merge(_maps(found))
    if found.regions[0].homology:
        data = data.merge(_homology(found.regions))
    return data


def _models(models: RDMs, regions: Sequence[Region]) -> xr.Dataset:
    """Model RDMs, and the score of each in each region; NaN where it was not scored."""
    arrays: dict[str, Any] = {"model_dissimilarity": (("model", "pair"), models.dissimilarities)}
    tests = [None if one.evaluation is None else one.evaluation.against_zero for one in regions]
    for name, field in (("score", "value"), ("score_low", "low"), ("score_high", "high")):
        arrays[name] = (("rdm", "model"), _rows(tests, field, len(models)))
    arrays["score_p"] = (("rdm", "model"), _rows(tests, "p_value", len(models)))
    permuted = [
        np.full(len(models), np.nan)
        if one.evaluation is None or one.evaluation.p_permutation is None
        else one.evaluation.p_permutation
        for one in regions
    ]
    arrays["score_p_permutation"] = (("rdm", "model"), np.stack(permuted))
    names = models.table["name"].astype(str).to_numpy(object)
    return xr.Dataset(arrays, coords={"model": names})


def _rows(tests: Sequence[TTest | None], field: str, n: int) -> np.ndarray:
    return np.stack([np.full(n, np.nan) if one is None else getattr(one, field) for one in tests])


def _homology(regions: Sequence[Region]) -> xr.Dataset:
    """Persistence of every region that has any, by dimension."""
    able = [one for one in regions if one.homology]
    dims = ("shape", "dimension")
    tests = [one.homology for one in able]
    arrays: dict[str, Any] = {
        name: (dims, np.array([[getattr(test, name) for test in row] for row in tests]))
        for name in ("total", "largest", "p_total", "p_largest")
    }
    step = (*dims, "threshold")
    for name in ("thresholds", "betti"):
        arrays[name] = (step, np.array([[getattr(test, name) for test in row] for row in tests]))
    arrays["betti_band"] = (
        (*dims, "side", "threshold"), np.array([[test.band for test in row] for row in tests])
    )  # fmt: skip
    most = max(len(test.bars) for row in tests for test in row)
    bars = np.full((len(able), len(tests[0]), most, 2), np.nan)
    for shape, row in enumerate(tests):
        for dimension, test in enumerate(row):
            bars[shape, dimension, : len(test.bars)] = test.bars
    arrays["persistence_diagram"] = ((*dims, "bar", "end"), bars)
    return xr.Dataset(
        arrays,
        coords={
            "end": ["birth", "death"],
            "dimension": [test.dimension for test in tests[0]],
            "shape": np.array([one.name for one in able], dtype=object),
        },
    )


@dataclass(frozen=True, eq=False)
class Stored:
    """RDMs of a subject as its result folder tells them.

    Parameters
    ----------
    subject : str
    name, session, folds, measure, comparison : str
        See `Representations` and `Responses`.
    rdms : RDMs
        Columns ``subject``, ``session``, ``region``, ``n_units``, ``reliability``.
    models : RDMs or None
        Column ``name``.
    conditions : pandas.DataFrame
        What is known of every condition.
    """

    subject: str
    name: str
    session: str
    folds: str
    measure: str
    comparison: str
    rdms: RDMs
    models: RDMs | None
    conditions: pd.DataFrame


def read_stored(folder: Path) -> list[Stored]:
    """Read the result folder of `neuropipe trsa subject`.

    Parameters
    ----------
    folder : Path

    Returns
    -------
    list of Stored
        Empty where the analysis did not apply to the subject.

    Raises
    ------
    ResultError
        If the folder is incomplete or holds another result.
    """
    result = Result.read(folder)
    try:
        if result.analysis != "trsa" or not result.subject:
            raise ValueError(f"a result of {result.analysis}")
        arrays = result.arrays
        if isinstance(arrays, xr.DataTree):
            sets = [child.to_dataset() for child in arrays.children.values()]
        else:
            sets = [arrays] if arrays.sizes else []
        return [_stored(result.subject, one) for one in sets]
    except (KeyError, AttributeError, ValueError) as error:
        raise ResultError(
            f"{folder} holds no representations of a subject ({error})",
            "the result of `neuropipe trsa subject`",
            "make it again",
        ) from error


def _stored(subject: str, data: xr.Dataset) -> Stored:
    conditions = tuple(map(str, data["condition"].values))
    texts = {name: str(data.attrs[name]) for name in _TEXTS}
    items = pd.DataFrame(
        {
            "subject": subject,
            "session": texts["name"] or texts["session"],
            "region": data["region"].values.astype(str),
            "n_units": data["n_units"].values,
            "reliability": data["reliability"].values,
        }
    )
    models = None
    if "model" in data.coords:
        table = pd.DataFrame({"name": data["model"].values.astype(str)})
        models = RDMs(data["model_dissimilarity"].values, conditions, "model", table)
    columns = {
        str(name).removeprefix(_TABLE): values.values
        for name, values in data.data_vars.items()
        if str(name).startswith(_TABLE)
    }
    return Stored(
        subject=subject,
        rdms=RDMs(data["dissimilarity"].values, conditions, texts["measure"], items),
        models=models,
        conditions=pd.DataFrame(columns, index=pd.Index(conditions, name="condition")),
        **texts,
    )
