"""RDMs of several subjects: the library by hand, planted regions, and what must not matter."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from neuropipe.errors import UnfitRecordingError
from neuropipe.results import Result
from neuropipe.trsa.arrays import Stored, read_stored, subject_arrays
from neuropipe.trsa.comparison.compare import compare
from neuropipe.trsa.evaluate_group import group_arrays, group_facts, group_metrics, group_warnings
from neuropipe.trsa.fit import ALL
from neuropipe.trsa.fit_group import HOMOLOGY, fit_group, joined, shared_rdms
from neuropipe.trsa.inference.evaluation import evaluate
from neuropipe.trsa.inference.models import fixed_models
from neuropipe.trsa.rdms import RDMs
from neuropipe.trsa.topology.families import (
    BEST,
    GEODESIC,
    RANK,
    family_accuracies,
    geodesic_vectors,
)
from neuropipe.trsa.topology.homology import persistence_vectors
from tests.unit.trsa.subjects import settings

CHOSEN = settings()
NAMES = ("a", "b", "c", "d", "e")


def toy(subjects, regions=(ALL,), sessions=("1",), *, noise=0.3, seed=0, names=NAMES) -> RDMs:
    """RDMs that each region (or, without any, each subject) shares."""
    rng = np.random.default_rng(seed)
    n_pairs = len(names) * (len(names) - 1) // 2
    of = {region: rng.random(n_pairs) for region in regions}
    own = {subject: rng.random(n_pairs) for subject in subjects}
    rows, values = [], []
    for subject in subjects:
        for session in sessions:
            for region in regions:
                shared = own[subject] if len(regions) == 1 else of[region]
                values.append(shared + noise * rng.random(n_pairs))
                rows.append((subject, session, region))
    items = pd.DataFrame(rows, columns=["subject", "session", "region"])
    return RDMs(np.array(values), tuple(names), "euclidean", items)


def model_of(names=NAMES, **values) -> RDMs:
    table = pd.DataFrame({"name": list(values)})
    return RDMs(np.array(list(values.values()), float), tuple(names), "model", table)


def table_of(names=NAMES) -> pd.DataFrame:
    return pd.DataFrame(index=pd.Index(list(names), name="condition", dtype=object))


def stored(subject, rdms, models=None, measure="euclidean", name="") -> Stored:
    mine = rdms.take(rdms.table["subject"].to_numpy() == subject)
    return Stored(
        subject=subject, name=name, session=name, folds="runs", measure=measure,
        comparison="rho-a", rdms=replace(mine, measure=measure), models=models,
        conditions=table_of(rdms.conditions),
    )  # fmt: skip


# ---------------------------------------------------------------- the library by hand


def test_agreement_is_each_subjects_likeness_to_the_mean_of_the_others(group):
    assert list(group.agreement) == [ALL, "category", "early", "mixed", "ring"]
    for region, values in group.agreement.items():
        own = group.of_region(region).dissimilarities
        by_hand = [
            compare(own[k : k + 1], np.delete(own, k, axis=0).mean(axis=0)[None], "rho-a")[0, 0]
            for k in range(3)
        ]
        np.testing.assert_allclose(values, by_hand, atol=1e-12)


@pytest.mark.parametrize("region", [ALL, "ring"])
def test_evaluations_are_those_of_the_library(region, group):
    own = evaluate(
        fixed_models(group.models), group.of_region(region), measure="rho-a", new="both",
        n_bootstrap=50, n_permutations=99,
    )  # fmt: skip
    found = group.evaluations[region]
    pd.testing.assert_frame_equal(found.table(), own.table())
    pd.testing.assert_frame_equal(found.difference_table(), own.difference_table())
    np.testing.assert_array_equal(found.ceiling.value, own.ceiling.value)
    # The lower ceiling is the mean agreement.
    assert found.ceiling.value[0] == pytest.approx(group.agreement[region].mean(), abs=0.02)


def test_identification_is_that_of_the_families(group):
    found = group.identified
    assert (found.what, found.across) == ("region", "subject")
    parts = np.flatnonzero((group.rdms.table["region"] != ALL).to_numpy())
    np.testing.assert_array_equal(found.rows, parts)
    items = group.rdms.table.iloc[parts]
    own = family_accuracies(
        group.rdms.dissimilarities[parts], items["subject"], items["region"],
        representations={
            GEODESIC: geodesic_vectors,
            HOMOLOGY: lambda rdms: persistence_vectors(rdms, squared=True),
        },
        step=0.1, n_cells=3,
    )  # fmt: skip
    pd.testing.assert_frame_equal(found.accuracies.table, own.table)
    np.testing.assert_array_equal(found.accuracies.grid, own.grid)


def test_results_of_subjects_are_joined_as_they_were(fits, group, tmp_path):
    found = []
    for k, one in enumerate(fits, start=1):
        folder = tmp_path / f"sub-{k:02d}"
        Result(analysis="trsa", dataset="toy", recording=folder.name, subject=f"{k:02d}",
               arrays=subject_arrays([one], "rho-a")).write(folder)  # fmt: skip
        found += read_stored(folder)
    kept, warnings = shared_rdms(found)
    rdms, models = joined(kept)
    assert warnings == []
    np.testing.assert_array_equal(rdms.dissimilarities, group.rdms.dissimilarities)
    assert rdms.conditions == group.rdms.conditions
    columns = ["subject", "region"]
    pd.testing.assert_frame_equal(rdms.table[columns], group.rdms.table[columns])
    np.testing.assert_array_equal(models.dissimilarities, group.models.dissimilarities)


def test_planted_regions_are_identified_without_fail(group):
    table = group.identified.accuracies.table.set_index("family")
    assert (table["accuracy"] == 1.0).all()
    assert {"raw RDM", RANK, "topology", "geometry", GEODESIC, HOMOLOGY} <= set(table.index)
    metric = group_metrics(group, CHOSEN)[-1]
    assert (metric.value, metric.chance, metric.baseline) == (100.0, 25.0, 100.0)
    best = {
        region: evaluation.models[int(np.argmax(evaluation.mean))]
        for region, evaluation in group.evaluations.items()
    }
    assert best.pop(ALL) == "animate"
    assert best.pop("mixed") in ("animate", "size")
    assert best == {"category": "animate", "early": "Gabor energy", "ring": "angle"}


# ---------------------------------------------------------------- what must not matter


def test_neither_names_nor_orders_change_a_number(group):
    rng = np.random.default_rng(0)
    names = [group.rdms.conditions[k] for k in rng.permutation(group.rdms.n_conditions)]
    rdms = group.rdms.of(names)
    table = rdms.table.replace({"subject": {"01": "zoe", "02": "ann", "03": "bob"}})
    moved = replace(rdms, items=table).take(rng.permutation(len(rdms)))
    again = fit_group(moved, group.conditions.loc[names], group.models.of(names), CHOSEN)
    assert set(again.regions) == set(group.regions)
    for region in group.regions:
        one, two = group.evaluations[region], again.evaluations[region]
        assert two.mean == pytest.approx(one.mean)
        assert two.ceiling.value == pytest.approx(one.ceiling.value)
        assert sorted(again.agreement[region]) == pytest.approx(sorted(group.agreement[region]))
    first, second = (found.identified.accuracies for found in (group, again))
    assert second.best_cell == first.best_cell
    np.testing.assert_allclose(second.grid.mean(axis=1), first.grid.mean(axis=1))
    columns = ["family", "accuracy"]
    pd.testing.assert_frame_equal(second.table[columns], first.table[columns])


def test_the_same_seed_gives_the_same_arrays(group):
    again = fit_group(group.rdms, group.conditions, group.models, CHOSEN)
    assert group_arrays(again).identical(group_arrays(group))


# ---------------------------------------------------------------- who is compared


def test_subjects_with_other_conditions_are_left_out_by_name():
    rdms, other = toy("abc"), toy("xy", names=("p", "q", "r", "s"))
    found = [stored(k, rdms) for k in "abc"] + [stored(k, other) for k in "xy"]
    kept, warnings = shared_rdms(found)
    assert [one.subject for one in kept] == ["a", "b", "c"]
    assert warnings == [
        "Subjects with other conditions or another measure were left out: x, y."
    ]  # fmt: skip
    by_measure, said = shared_rdms([*found[:2], stored("c", rdms, measure="crossnobis")])
    assert [one.subject for one in by_measure] == ["a", "b"]
    assert "left out: c." in said[0]


def test_subjects_that_share_no_conditions_are_refused():
    one, two = toy("a"), toy("b", names=("p", "q", "r", "s"))
    with pytest.raises(UnfitRecordingError, match="no two subjects share"):
        shared_rdms([stored("a", one), stored("b", two)])
    with pytest.raises(UnfitRecordingError, match="no two subjects share"):
        shared_rdms([stored("a", one, name="1"), stored("a", one, name="2")])
    with pytest.raises(UnfitRecordingError, match="no subject has representations"):
        shared_rdms([])


def test_models_that_some_lack_are_left_out_and_conditions_are_aligned():
    rdms = toy("ab")
    one = model_of(x=np.arange(10.0), y=np.arange(10.0)[::-1])
    two = model_of(y=np.arange(10.0)[::-1], z=np.ones(10))
    turned = replace(rdms.of(NAMES[::-1]), items=rdms.table)
    both = [stored("a", rdms, one), stored("b", turned, two.of(NAMES[::-1]))]
    found, models = joined(both)
    assert found.conditions == NAMES
    np.testing.assert_array_equal(found.dissimilarities, rdms.dissimilarities)
    assert models.table["name"].tolist() == ["y"]
    assert joined([both[0], stored("b", rdms)])[1] is None
    assert joined([both[0], stored("b", rdms, model_of(z=np.ones(10)))])[1] is None


def test_a_region_of_one_subject_is_neither_compared_nor_identified():
    rdms = toy("abc", (ALL, "V1", "V2", "V4"))
    alone = rdms.table["region"].eq("V4") & ~rdms.table["subject"].eq("a")
    found = fit_group(rdms.take(~alone.to_numpy()), table_of(), None, CHOSEN)
    assert found.regions == (ALL, "V1", "V2")
    assert found.identified.accuracies.labels == ("V1", "V2")
    assert found.evaluations == {}


def test_subjects_are_identified_across_sessions_where_there_are_no_regions():
    rdms = toy("abcd", sessions=("1", "2", "3"), noise=0.05)
    found = fit_group(rdms, table_of(), None, CHOSEN)
    assert (found.identified.what, found.identified.across) == ("subject", "session")
    assert found.identified.accuracies.chance == 0.25
    assert found.identified.accuracies.table["accuracy"].iloc[0] == 1.0
    names = [metric.name for metric in group_metrics(found, CHOSEN)]
    assert names[:2] == ["subjects agree: all units", "subjects identified: raw RDM"]
    assert found.agreement[ALL].shape == (4,)  # a subject counts once


def test_one_session_without_regions_leaves_nothing_to_identify():
    found = fit_group(toy("abc"), table_of(), model_of(x=np.arange(10.0)), CHOSEN)
    assert found.identified is None
    assert list(found.evaluations) == [ALL]
    assert set(group_arrays(found).children) == {"models", "differences", "agreement"}


def test_nothing_that_two_subjects_share_is_refused():
    for rdms in (toy("a"), toy("a", sessions=("1", "2")), toy("a", ("V1", "V2"))):
        with pytest.raises(UnfitRecordingError, match="two subjects"):
            fit_group(rdms, table_of(), None, CHOSEN)


def test_too_few_conditions_for_models_are_told():
    rdms = toy("abc", names=("a", "b", "c"))
    found = fit_group(rdms, table_of("abc"), model_of("abc", x=[1, 2, 3]), CHOSEN)
    assert found.evaluations == {}
    (said,) = found.warnings
    assert said.startswith("Models of all units were not compared: ")


# ---------------------------------------------------------------- numbers and words


def test_metrics_stand_beside_baselines_chance_and_intervals(group):
    metrics = {metric.name: metric for metric in group_metrics(group, CHOSEN)}
    agree = metrics["subjects agree: ring"]
    assert agree.value == pytest.approx(group.agreement["ring"].mean())
    assert (agree.n, agree.chance, agree.better) == (3, 0.0, "higher")
    assert agree.interval[0] <= agree.value <= agree.interval[1]
    table = group.evaluations["ring"].table().set_index("model")
    ring = metrics["model angle: ring"]
    assert ring.value == table.loc["angle", "score"]
    assert ring.interval == (table.loc["angle", "low"], table.loc["angle", "high"])
    assert ring.baseline == group.evaluations["ring"].ceiling.value[0]
    assert f"p {table.loc['angle', 'p_zero']:.2g}." in ring.description
    assert sum("model" in name and ": all units" in name for name in metrics) == 4
    assert metrics["model animate: all units"].verdict == "good"
    assert [name for name in metrics if BEST in name] == []
    rank = metrics[f"regions identified: {RANK}"]
    assert rank.baseline is None
    assert metrics["regions identified: topology"].baseline == rank.value


def test_facts_and_warnings_of_few_subjects(group):
    facts = group_facts(group)
    assert facts["RDMs"] == "15, from 3 subjects"
    assert facts["conditions"] == "24"
    assert facts["regions"] == "all units, category, early, mixed, ring"
    assert facts["dissimilarity"] == "crossnobis"
    (said,) = group_warnings(group)
    assert said.startswith("3 subjects: intervals over them are too narrow")
    assert "the least is 0.25" in said
    many = fit_group(toy("abcdefg", (ALL, "V1", "V2")), table_of(), None, CHOSEN)
    assert group_warnings(many) == []
    assert "" not in group_facts(replace(many, rdms=replace(many.rdms, measure=""))).values()


def test_arrays_of_a_dataset_hold_what_was_computed(group):
    tree = group_arrays(group)
    np.testing.assert_array_equal(tree["dissimilarity"], group.rdms.dissimilarities)
    assert tree["subject"].values.tolist() == group.rdms.table["subject"].tolist()
    rows = (
        tree["models"].to_dataset(inherit=False).to_dataframe().set_index(["region", "model_name"])
    )
    assert rows.loc[("ring", "angle"), "score"] == pytest.approx(
        group.evaluations["ring"].table().set_index("model").loc["angle", "score"]
    )
    n = len(group.models)
    assert tree["differences"].sizes["row"] == 5 * n * (n - 1) // 2
    likeness = tree["agreement"].to_dataset(inherit=False).to_dataframe()
    assert likeness[likeness["region"] == "ring"]["likeness"].tolist() == pytest.approx(
        group.agreement["ring"].tolist()
    )
    assert tree["identification"]["family"].values.tolist() == list(
        group.identified.accuracies.table["family"]
    )
    assert tree["grid"]["accuracy"].shape == group.identified.accuracies.grid.shape
    assert tree["grid"]["left_out"].values.tolist() == ["01", "02", "03"]
