"""Representations that are made up for drawing alone, of any size."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from neuropipe.trsa.data import Responses
from neuropipe.trsa.fit import ALL, Region, Representations
from neuropipe.trsa.inference.evaluation import evaluate
from neuropipe.trsa.inference.models import FixedModel
from neuropipe.trsa.patterns import Patterns
from neuropipe.trsa.rdms import RDMs
from neuropipe.trsa.reliability import Discrimination, Reliability

NAN = float("nan")


def conditions(n: int, **columns: Sequence[object]) -> pd.DataFrame:
    index = pd.Index([f"c{k:03d}" for k in range(n)], name="condition", dtype=object)
    return pd.DataFrame(columns, index=index)


def made_up(
    table: pd.DataFrame, regions: Sequence[str] = (), models: Sequence[str] = (), *,
    reliability: Sequence[float] | None = None, name: str = "",
) -> Representations:  # fmt: skip
    """RDMs of noise, without homology; scores of model RDMs of noise."""
    rng = np.random.default_rng(len(table))
    n, names = len(table), (ALL, *regions)
    rdms = RDMs(
        rng.random((len(names), n * (n - 1) // 2)), tuple(table.index), "euclidean",
        pd.DataFrame({"region": names}),
    )  # fmt: skip
    patterns = Patterns(
        values=np.zeros((1, n, 2)), conditions=tuple(table.index), channels=("a", "b"),
        folds=("1",), n_trials=np.ones((1, n), dtype=int),
    )  # fmt: skip
    compared = None
    if models:
        compared = RDMs(
            rng.random((len(models), rdms.dissimilarities.shape[1])), rdms.conditions, "model",
            pd.DataFrame({"name": list(models)}),
        )  # fmt: skip
    values = [NAN] * len(names) if reliability is None else reliability
    return Representations(
        responses=Responses(
            name=name, recordings=("sub-1",), session=name, patterns=patterns,
            units=pd.DataFrame(index=["a", "b"]), conditions=table, folds="trials", warnings=[],
        ),
        measure="euclidean",
        rdms=rdms,
        regions=tuple(
            Region(
                name=region, n_units=2, homology=(),
                reliability=Reliability(value, NAN, np.empty(0), 0),
                discrimination=Discrimination(NAN, np.empty(0), 1 / n, NAN, np.empty(0)),
                evaluation=None if compared is None else _scored(rdms.take([k]), compared),
            )
            for k, (region, value) in enumerate(zip(names, values, strict=True))
        ),
        models=compared, controls=None, places=None, course=None, geometry=None, warnings=(),
    )  # fmt: skip


def _scored(rdm: RDMs, models: RDMs) -> object:
    alone = RDMs(rdm.dissimilarities, rdm.conditions, "x", pd.DataFrame({"subject": ["1"]}))
    named = [
        FixedModel(str(name), values)
        for name, values in zip(models.table["name"], models.dissimilarities, strict=True)
    ]
    return evaluate(named, alone, measure="cosine", new="conditions", n_bootstrap=50,
                    n_permutations=0)  # fmt: skip
