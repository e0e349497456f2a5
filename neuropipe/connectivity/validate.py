"""`neuropipe validate connectivity`: the FC baseline on data whose truth is known."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from neuropipe.connectivity.cohort import Cohort, build_cohort
from neuropipe.connectivity.group import fit_group
from neuropipe.connectivity.predict import predict_targets
from neuropipe.connectivity.settings import ConnectivitySettings
from neuropipe.connectivity.structure import same_network
from neuropipe.connectivity.timing import effective_samples, leave_block_out, mean_edge_null
from neuropipe.simulate.recordings import simulated_recordings
from neuropipe.simulate.settings import FmriSimulation
from neuropipe.stats.checks import Check, at_least, at_most, between, near
from neuropipe.stats.connectivity_matrices import correlation, edges, fisher_z
from neuropipe.stats.linear_models import fold_gram, gram_matrix
from neuropipe.stats.permutation import permutation_p_value
from neuropipe.stats.prediction import classify
from neuropipe.stats.prediction_scores import Classification
from neuropipe.stats.resampling import bootstrap_interval, jackknife_interval
from neuropipe.stats.scores import auroc_from_pairs, pair_counts
from neuropipe.stats.splits import grouped_folds
from neuropipe.units import column

_COHORT = FmriSimulation(
    n_subjects=100, duration=240.0, repetition_time=1.0, y_dyn="order", n_rois=100, seed=7
)


def checks() -> list[Check]:
    """Measure the claims of connectivity and of its statistics; under a minute on one core.

    Returns
    -------
    list of Check
        Baselines.md, section 6, check 3, and the error rates that its numbers rest on.
    """
    return [*_prediction(), *_families(), *_error_rates(), *_intervals()]


def _classification(
    cohort: Cohort, target: str, settings: ConnectivitySettings
) -> dict[str, Classification]:
    chosen = settings.model_copy(update={"targets": (target,)})
    (result,), _ = predict_targets(cohort, chosen)
    return {row.name: row.scores for row in result.rows if isinstance(row.scores, Classification)}


def _prediction() -> list[Check]:
    settings = ConnectivitySettings(
        kinds=("correlation",), group_column="family_id", seeds=(0, 1, 2), n_permutations=200
    )
    cohort = build_cohort(simulated_recordings(_COHORT), "simulated", settings)
    with_logistic = settings.model_copy(
        update={"classifiers": ("logistic",), "n_permutations": 0, "seeds": (0,)}
    )
    about = f"{cohort.n_subjects} simulated subjects of {_COHORT.duration:g} s, folds by family"
    fc = _classification(cohort, "y_fc", settings)["correlation"]
    logistic = _classification(cohort, "y_fc", with_logistic)["correlation, logistic"]
    dynamic = _classification(cohort, "y_dyn", settings)["correlation"]
    nothing = _classification(cohort, "y_permuted", settings)["correlation"]
    fit = fit_group(cohort, settings)
    networks = column(cohort.units, "network")
    assert fit.mean is not None
    assert networks is not None
    member = same_network(networks)
    together = edges(member @ member.T) > 0
    pairs = pair_counts(together, edges(fit.mean), np.zeros(len(together), dtype=int))
    return [
        at_least("FC + ridge: AUROC of y_fc", fc.auroc.value, 0.7, f"{about}; {_said(fc)}"),
        at_most("FC + ridge: p of y_fc", fc.auroc.p_value, 0.05, "200 label permutations"),
        at_least("FC + logistic: AUROC of y_fc", logistic.auroc.value, 0.7, about),
        near(
            "FC + ridge: AUROC of y_dyn",
            dynamic.auroc.value,
            0.5,
            0.12,
            f"its averaged covariance is matched: static FC holds nothing; {_said(dynamic)}",
        ),
        near(
            "permuted labels: mean AUROC",
            fc.auroc.chance,
            0.5,
            0.05,
            f"y_fc, 200 permutations; one fixed shuffle (y_permuted): {_said(nothing)}",
        ),
        at_least(
            "planted networks: AUC of same-network pairs",
            float(auroc_from_pairs(pairs, together)[0]),
            0.9,
            "edges of the mean matrix, 7 networks",
        ),
        at_most(
            "planted networks: p of the contrast",
            float(permutation_p_value(fit.structure["contrast"], fit.structure_nulls["contrast"])),
            0.01,
            f"within minus between {fit.structure['contrast']:.3f}",
        ),
    ]


def _said(scores: Classification) -> str:
    low, high = scores.auroc.interval
    return f"AUROC {scores.auroc.value:.3f} ({low:.3f} to {high:.3f}), p {scores.auroc.p_value:.3f}"


def _families() -> list[Check]:
    """A label that is the same within families and means nothing else."""
    simulation = FmriSimulation(
        n_subjects=80, duration=120.0, n_rois=60, family_size=4, subject_loading=0.4, seed=3,
        family_share=0.95,
    )  # fmt: skip
    apart = ConnectivitySettings(
        kinds=("correlation",), seeds=(0, 1, 2), n_permutations=19, group_column="family_id"
    )
    cohort = build_cohort(simulated_recordings(simulation), "simulated", apart)
    leaky = apart.model_copy(update={"group_column": ""})
    honest = _classification(cohort, "y_family", apart)["correlation"].auroc.value
    leaked = _classification(cohort, "y_family", leaky)["correlation"].auroc.value
    return [
        at_most(
            "label of families, folds by family: AUROC",
            honest,
            0.65,
            f"80 subjects in 20 families; folds by subject leak it: {leaked:.3f}",
        )
    ]


def _share_rejected(
    n_data: int, features: Callable[[], np.ndarray], labels: np.ndarray, groups: np.ndarray
) -> float:
    """How often ridge on features of noise is called better than chance at 0.05."""
    rejected = 0
    for k in range(n_data):
        parts = [grouped_folds(groups, labels, n_splits=5, seed=k)]
        gram = gram_matrix(features())
        grams = [fold_gram(gram, fold.train) for fold in parts[0]]
        scores = classify(
            lambda _, f, grams=grams: grams[f],  # type: ignore[misc]
            parts,
            labels,
            ("a", "b"),
            n_permutations=99,
            n_resamples=200,
            seed=k,
            groups=groups,
        )
        rejected += scores.auroc.p_value <= 0.05
    return rejected / n_data


def _error_rates(n_data: int = 300) -> list[Check]:
    rng = np.random.default_rng(11)
    family = np.repeat(np.arange(16), 3)

    def siblings() -> np.ndarray:
        own = 0.4 * rng.standard_normal((48, 40))
        return np.asarray(rng.standard_normal((16, 40))[family] + own)

    subjects = _share_rejected(
        n_data,
        lambda: rng.standard_normal((40, 60)),
        np.repeat([0, 1], [16, 24]),
        np.arange(40).astype(str),
    )
    families = _share_rejected(n_data, siblings, family % 2, family.astype(str))
    series = [_autoregressive(200, 12, 0.85, rng) for _ in range(60)]
    z = np.concatenate([np.abs(fisher_z(edges(correlation(x)))) for x in series])
    samples = np.concatenate([edges(effective_samples(x)) for x in series])
    corrected = float(np.mean(z * np.sqrt(samples - 3) > 1.96))
    naive = float(np.mean(z * np.sqrt(200 - 3) > 1.96))
    shifts = [
        permutation_p_value(edges(correlation(x)).mean(), mean_edge_null(x, 99, 20, rng))
        for x in (_autoregressive(200, 12, 0.85, rng) for _ in range(n_data))
    ]
    return [
        between(
            "label permutation: type I error at 0.05",
            subjects,
            0.02,
            0.09,
            f"{n_data} sets of 40 subjects (16 and 24) and 60 features of noise, ridge",
        ),
        between(
            "label permutation by family: type I error at 0.05",
            families,
            0.02,
            0.09,
            f"{n_data} sets of 16 families of 3 alike siblings with one label, ridge",
        ),
        between(
            "edge tests on effective frames: type I error at 0.05",
            corrected,
            0.03,
            0.08,
            f"independent AR(1) series (0.85), 200 frames; with all frames {naive:.3f}",
        ),
        between(
            "circular shifts: type I error of mean FC at 0.05",
            float(np.mean(np.array(shifts) <= 0.05)),
            0.02,
            0.09,
            f"{n_data} recordings of 12 independent AR(1) series (0.85), 200 frames",
        ),
    ]


def _intervals(n_data: int = 300) -> list[Check]:
    rng = np.random.default_rng(12)
    truth = 0.3
    root = np.linalg.cholesky(np.full((8, 8), truth) + (1 - truth) * np.eye(8))

    def mean_edge(matrix: np.ndarray) -> np.ndarray:
        return np.array([edges(matrix).mean()])

    held = []
    for _ in range(n_data):
        x = _autoregressive(300, 8, 0.7, rng) @ root.T
        value = float(mean_edge(correlation(x))[0])
        low, high = jackknife_interval(value, leave_block_out(x, 12, mean_edge)[:, 0])
        held.append(low <= truth <= high)
    subjects = pd.Series(
        [
            low <= np.exp(0.125) <= high
            for low, high in (
                bootstrap_interval(np.exp(0.5 * rng.standard_normal(40)), n_resamples=999, seed=k)
                for k in range(2 * n_data)
            )
        ]
    )
    return [
        between(
            "time-block jackknife of mean FC: coverage of 95 %",
            float(np.mean(held)),
            0.91,
            0.99,
            f"{n_data} runs of 300 autocorrelated frames, 12 blocks, true r 0.3",
        ),
        between(
            "bootstrap over subjects: coverage of 95 %",
            float(subjects.mean()),
            0.90,
            0.98,
            f"mean of 40 log-normal values, BCa, {2 * n_data} sets",
        ),
    ]


def _autoregressive(
    n_times: int, n_units: int, coefficient: float, rng: np.random.Generator
) -> np.ndarray:
    """Independent AR(1) series of unit variance, shape (n_times, n_units)."""
    x = rng.standard_normal((n_times, n_units))
    for t in range(1, n_times):
        x[t] = coefficient * x[t - 1] + np.sqrt(1 - coefficient**2) * x[t]
    return x
