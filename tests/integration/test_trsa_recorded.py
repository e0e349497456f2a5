"""Representations in real recordings, against what is known of them."""

from __future__ import annotations

from itertools import combinations, permutations

import numpy as np
import pandas as pd
import pytest
from scipy.io import loadmat
from scipy.stats import t as student

from neuropipe.ingest.read import discover, read_recording
from neuropipe.ingest.source import SourceFiles
from neuropipe.trsa.comparison.compare import compare
from neuropipe.trsa.data import subject_responses
from neuropipe.trsa.estimation.estimators import estimate
from neuropipe.trsa.files.rdm_files import read_rdms
from neuropipe.trsa.image_models import image_rdms, read_images
from neuropipe.trsa.inference.evaluation import evaluate
from neuropipe.trsa.inference.models import FixedModel, fixed_models
from neuropipe.trsa.patterns import Patterns
from neuropipe.trsa.rdms import RDMs, vectors
from neuropipe.trsa.reliability import discriminate, halves_agree, usable_measure
from neuropipe.trsa.settings import TrsaSettings
from neuropipe.trsa.topology.families import GEODESIC, family_accuracies, geodesic_vectors
from neuropipe.trsa.topology.grid import cells
from neuropipe.trsa.topology.homology import persistence_vectors
from neuropipe.trsa.topology.selection import grid_accuracy, identify_items
from neuropipe.trsa.topology.transforms import geotopological, normalised_ranks
from tests.integration.test_connectivity_recorded import MASK, recordings
from tests.integration.test_image_readers import SETTINGS as V4_SETTINGS

ANIMATE, OBJECTS = ("cat", "face"), ("bottle", "chair", "house", "scissors", "shoe")


def contrast(matrix: np.ndarray, inside: np.ndarray) -> float:
    """Mean dissimilarity between members and others, minus that among either of them."""
    same = inside[:, None] == inside
    rows, columns = np.triu_indices(len(inside), 1)
    values, within = matrix[rows, columns], same[rows, columns]
    return float(values[~within].mean() - values[within].mean())


def contrast_p(matrix: np.ndarray, inside: np.ndarray, n: int = 999) -> float:
    """P value of `contrast` against shuffled members."""
    rng = np.random.default_rng(0)
    null = [contrast(matrix, rng.permutation(inside)) for _ in range(n)]
    return (1 + np.sum(np.array(null) >= contrast(matrix, inside))) / (n + 1)


# ---------------------------------------------------------------- Haxby 2001, one slice


@pytest.fixture(scope="module")
def haxby(shared_data) -> Patterns:
    runs = recordings(shared_data / "bids-haxby", mask=MASK)
    (found,) = subject_responses(runs, TrsaSettings())
    assert found.folds == "runs"
    assert found.warnings == []
    return found.patterns


def test_haxby_categories_can_be_told_apart(haxby):
    """Known: 74 % by a linear SVM on averages of runs; chance 12.5 %."""
    assert haxby.values.shape == (12, 8, 530)
    found = discriminate(haxby, 199, 0)
    assert found.accuracy == pytest.approx(0.80, abs=0.02)
    assert found.p == pytest.approx(1 / 200)
    assert found.null.mean() == pytest.approx(0.125, abs=0.01)


def test_haxby_rdm_repeats_in_halves_of_the_runs(haxby):
    found = halves_agree(haxby, "crossnobis", "rho-a", 199, 0)
    assert found.value == pytest.approx(0.83, abs=0.02)
    assert found.p == pytest.approx(1 / 200)
    assert abs(found.null.mean()) < 0.1


def test_haxby_houses_stand_apart_and_the_animate_do_not(haxby):
    """Intervals by leaving out each run: one drawn twice would be compared with itself."""

    def statistics(patterns: Patterns) -> np.ndarray:
        matrix = estimate(patterns).matrices[0]
        place = [patterns.conditions.index(name) for name in (*ANIMATE, *OBJECTS)]
        matrix = matrix[np.ix_(place, place)]
        apart = [np.delete(row, k).mean() for k, row in enumerate(matrix)]
        house = place.index(patterns.conditions.index("house"))
        others = np.delete(apart, house).mean()
        return np.array([contrast(matrix, np.arange(7) < 2), apart[house] - others, apart[1]])

    runs = np.arange(12)
    value = statistics(haxby)
    left = np.stack([statistics(_of_folds(haxby, runs != k)) for k in runs])
    error = np.sqrt(11 / 12 * ((left - left.mean(axis=0)) ** 2).sum(axis=0))
    low = value - student.ppf(0.975, 11) * error
    assert value == pytest.approx([0.076, 0.583, 0.632], abs=0.01)
    assert low[1] > 0.3  # houses stand apart whatever run is left out
    # Of the 21 ways to name two of seven animate, several do as well.
    matrix = estimate(haxby).matrices[0]
    place = [haxby.conditions.index(name) for name in (*ANIMATE, *OBJECTS)]
    null = [
        contrast(matrix[np.ix_(place, place)], np.isin(np.arange(7), pair))
        for pair in combinations(range(7), 2)
    ]
    assert np.mean(np.array(null) >= value[0] - 1e-12) == pytest.approx(7 / 21)


def _of_folds(patterns: Patterns, chosen: np.ndarray) -> Patterns:
    folds = tuple(name for name, there in zip(patterns.folds, chosen, strict=True) if there)
    return Patterns(
        patterns.values[chosen], patterns.conditions, patterns.channels, folds,
        patterns.n_trials[chosen], patterns.noise,
    )  # fmt: skip


# ---------------------------------------------------------------- macaque V4


def v4_session(shared_data, session: str):
    root = shared_data / "images-v4"
    paths = [p.relative_to(root).as_posix() for p in root.rglob("*") if p.is_file()]
    (locked,) = [one for one in discover(paths, "images", V4_SETTINGS) if one.session == session]
    recording = read_recording(SourceFiles("real", root, locked), "images", V4_SETTINGS)
    (found,) = subject_responses([recording], TrsaSettings(max_conditions=200))
    images = read_images([root / path for path in found.conditions["path"]])
    return found, image_rdms(images, found.patterns.conditions)


def scored(rdms: RDMs, models: RDMs):
    return evaluate(
        fixed_models(models), rdms, measure="rho-a", new="conditions", n_bootstrap=200,
        n_permutations=199,
    )  # fmt: skip


def test_v4_energy_explains_what_repeats(shared_data):
    """Session 201016 has five to nine trials an image: crossnobis, and a ceiling of two halves."""
    found, models = v4_session(shared_data, "201016")
    patterns = found.patterns
    assert found.folds == "repeats"
    assert patterns.values.shape == (6, 200, 82)
    assert usable_measure(patterns, "crossnobis") == "crossnobis"
    halves = [estimate(_of_folds(patterns, np.arange(6) % 2 == k)) for k in range(2)]
    rdms = RDMs(
        np.concatenate([half.dissimilarities for half in halves]), patterns.conditions,
        "crossnobis", pd.DataFrame({"subject": ["even", "odd"]}),
    )  # fmt: skip
    result = scored(rdms, models)
    table = result.table().set_index("model")
    assert table.loc["Gabor energy", "score"] == pytest.approx(0.143, abs=0.01)
    assert table.loc["Gabor energy", "p_permutation"] == pytest.approx(1 / 200)
    assert (table.loc[["pixels", "colour"], "low"] < 0).all()
    differences = result.difference_table()
    assert (differences[differences["second"] == "Gabor energy"]["p_holm"] < 0.05).all()
    # What one half tells of the other; models are far below it.
    lower, upper = result.ceiling.value
    assert lower == pytest.approx(0.57, abs=0.02)
    assert lower < upper < 1
    assert (table["p_ceiling"] < 0.001).all()
    told = discriminate(patterns, 99, 0)
    assert told.chance == 1 / 200
    assert told.accuracy == pytest.approx(0.86, abs=0.02)


@pytest.mark.parametrize("session", ["190923", "210225", "210305"])
def test_v4_means_of_trials_have_no_ceiling(shared_data, session):
    found, models = v4_session(shared_data, session)
    assert found.patterns.noise is None
    assert usable_measure(found.patterns, "crossnobis") == "euclidean"
    rdm = estimate(found.patterns, "euclidean")
    one = RDMs(rdm.dissimilarities, rdm.conditions, "euclidean", pd.DataFrame({"subject": ["x"]}))
    result = scored(one, models)
    assert result.ceiling is None
    table = result.table().set_index("model")
    energy = {"190923": 0.089, "210225": 0.089, "210305": 0.217}[session]
    assert table.loc["Gabor energy", "score"] == pytest.approx(energy, abs=0.01)
    assert (table.loc[["Gabor energy", "colour"], "low"] > 0).all()
    assert (table["p_permutation"] < 0.05).all()


# ---------------------------------------------------------------- 92 images


@pytest.fixture(scope="module")
def folder(shared_data):
    return shared_data / "rdms-92-images"


@pytest.fixture(scope="module")
def human(folder) -> RDMs:
    """Four subjects in two sessions each."""
    return read_rdms(folder / "92_brainRDMs.mat")


@pytest.fixture(scope="module")
def kinds(folder) -> pd.DataFrame:
    table = loadmat(folder / "Kriegeskorte_Neuron2008_supplementalData.mat", squeeze_me=True)
    labels = [str(name) for name in table["categoryLabels"]]
    return pd.DataFrame(table["categoryVectors"].astype(bool), columns=labels)


def test_monkey_and_human(folder, human):
    """Known: Pearson r = 0.491 (0.49 as published)."""
    both = read_rdms(folder / "Kriegeskorte_Neuron2008_supplementalData.mat")
    monkey, man = both.dissimilarities
    assert compare(monkey[None], man[None], "corr")[0, 0] == pytest.approx(0.491, abs=0.001)
    assert compare(monkey[None], man[None], "rho-a")[0, 0] == pytest.approx(0.439, abs=0.001)
    np.testing.assert_allclose(man, human.mean(), atol=1e-6)


def test_animate_and_faces_cluster(folder, human, kinds):
    """Known: both do in both species (Kriegeskorte et al. 2008). In sd of the RDM's entries."""
    both = read_rdms(folder / "Kriegeskorte_Neuron2008_supplementalData.mat")
    animate = kinds["animate"].to_numpy()
    face = kinds["face"].to_numpy()[animate]

    def clusters(matrix: np.ndarray) -> list[float]:
        scale = vectors(matrix).std()
        inner = matrix[np.ix_(animate, animate)]
        return [contrast(matrix, animate) / scale, contrast(inner, face) / scale]

    expected = {"monkey": [0.884, 1.180], "human": [1.153, 0.511]}
    for matrix, values in zip(both.matrices, expected.values(), strict=True):
        assert clusters(matrix) == pytest.approx(values, abs=0.01)
        assert contrast_p(matrix, animate) == pytest.approx(0.001)
        assert contrast_p(matrix[np.ix_(animate, animate)], face) == pytest.approx(0.001)
    own = np.array([clusters(matrix) for matrix in human.matrices]).reshape(2, 4, 2).mean(axis=0)
    margin = student.ppf(0.975, 3) * own.std(axis=0, ddof=1) / 2
    assert (own.mean(axis=0) - margin > 0.15).all()  # in every subject, though there are four


def test_models_of_human_it(folder, human):
    """Four subjects and 92 images: V1 explains nothing, animacy reaches the ceiling."""
    given = read_rdms(folder / "92_modelRDMs.mat")
    models = [
        FixedModel(str(name), values)
        for name, values in zip(given.table["name"], given.dissimilarities, strict=True)
        if name in ("animacy", "monkeyIT", "HMAX", "V1")
    ]
    judged = read_rdms(folder / "92_behavRDMs.mat")
    models.append(FixedModel("judged similarity", judged.mean()))
    found = evaluate(models, human, new="both", n_bootstrap=500, n_permutations=199)
    assert found.df == 3
    table = found.table().set_index("model")
    names = ["animacy", "monkeyIT", "judged similarity", "HMAX", "V1"]
    scores = table.loc[names, "score"]
    assert list(scores) == pytest.approx([0.269, 0.240, 0.211, 0.131, 0.022], abs=0.002)
    assert (table.loc[names[:4], "low"] > 0).all()
    assert table.loc["V1", "low"] < 0 < table.loc["V1", "high"]
    assert found.ceiling.value == pytest.approx([0.306, 0.525], abs=0.002)
    assert table.loc["V1", "p_ceiling"] < 0.05 < table.loc["animacy", "p_ceiling"]
    # Three degrees of freedom and ten pairs: no difference survives the correction.
    assert found.p_holm.min() > 0.05


def test_subjects_are_hardly_identified_across_sessions(human):
    """Eight items, chance 0.25: no family does better than four of them."""
    sessions, subjects = human.table["session"], human.table["subject"]
    others = {
        GEODESIC: geodesic_vectors,
        "homology": lambda values: persistence_vectors(values, max_dimension=1),
    }
    found = family_accuracies(human.dissimilarities, sessions, subjects, representations=others)
    assert found.chance == 0.25
    assert found.chosen_cells is None  # two sessions leave nothing to choose a cell on
    table = found.table.set_index("family")
    assert table.loc["raw RDM", "accuracy"] == 0.5
    assert table.loc["rank RDM", "accuracy"] == 0.375
    assert table.loc[list(others), "accuracy"].to_numpy() == pytest.approx([0.375, 0.5])
    assert table.loc[["topology", "geometry", "local", "global"], "accuracy"].between(
        0.35, 0.5).all()  # fmt: skip
    assert table.loc["best cell (optimistic)", "accuracy"] == 0.625
    assert nested_by_subject(human).mean() == 0.5
    ranks = normalised_ranks(human.dissimilarities)
    assert relabelled_p(human.dissimilarities, sessions, subjects) == pytest.approx((0.5, 2 / 24))
    assert relabelled_p(ranks, sessions, subjects) == pytest.approx((0.375, 6 / 24))


def nested_by_subject(rdms: RDMs) -> np.ndarray:
    """Score on each subject the cell that tells the other three apart, (n_subjects, n_sessions)."""
    sessions, subjects = (rdms.table[k].to_numpy(str) for k in ("session", "subject"))
    ranks = normalised_ranks(rdms.dissimilarities)
    grid = cells(0.05)
    width = grid[:, 1] - grid[:, 0]
    label = np.unique(subjects, return_inverse=True)[1]
    correct = []
    for name in np.unique(subjects):
        rest = subjects != name
        inner = grid_accuracy(ranks[rest], sessions[rest], subjects[rest], grid).mean(axis=1)
        best = int(np.where(inner >= inner.max() - 1e-12, width, -1.0).argmax())
        moved = geotopological(ranks, *grid[best])
        named = identify_items(moved, sessions, subjects).predicted
        correct.append((named == label)[~rest])
    return np.array(correct)


def relabelled_p(values, sessions, subjects) -> tuple[float, float]:
    """Share correct, and how many of the 24 ways to name the second session do as well."""
    sessions, subjects = np.asarray(sessions, str), np.asarray(subjects, str)
    second = np.flatnonzero(sessions == "2")
    scores = []
    for order in permutations(second):
        named = subjects.copy()
        named[second] = subjects[list(order)]
        scores.append(identify_items(values, sessions, named).accuracy.mean())
    return scores[0], float(np.mean(np.array(scores) >= scores[0] - 1e-12))
