"""What a masked autoencoder must reach on stationary cohorts, and what its embeddings must show.

Where nothing switches, the conditional mean of a Gaussian process is the best predictor, and it is
known: the network has to come near it, and its ROI embeddings have to show the planted networks.
"""

from __future__ import annotations

from typing import ClassVar, Self

import numpy as np
import pandas as pd
import torch

from neuropipe.brainmae.data import Runs
from neuropipe.brainmae.fit import new_model, pretrain
from neuropipe.brainmae.heldout import OURS, model_prediction, stacked
from neuropipe.brainmae.imputation import (
    Mean,
    centred,
    draw_masks,
    evaluation_masks,
    filled,
    neighbours,
    training_mean,
)
from neuropipe.brainmae.model import BrainMAE
from neuropipe.brainmae.proofs.cohorts import Plan, roi_order, runs_of, settings_of
from neuropipe.brainmae.reconstruction import (
    default_predictors,
    drawn_segments,
    pooled_r2,
    score_predictors,
    score_rows,
)
from neuropipe.brainmae.settings import BrainmaeSettings
from neuropipe.simulate.fmri import population
from neuropipe.stats.checks import Check, at_least, at_most, near
from neuropipe.stats.connectivity_matrices import edges
from neuropipe.stats.scores import auroc_from_pairs, pair_counts

__all__ = ["OtherSegments", "OwnRoi", "checks", "cosines", "network_ari"]

RATIO = 0.5


class OwnRoi(Mean):
    """A small network that is told which ROI is hidden, and nothing else: a control.

    Parameters
    ----------
    n_examples : int
        Hidden segments of training runs from which it learns.
    seed : int
    """

    name: ClassVar[str] = "per-ROI network"

    def __init__(self, n_examples: int = 40_000, seed: int = 0) -> None:
        self.n_examples, self.seed = n_examples, seed

    def fit(self, x: np.ndarray, present: np.ndarray) -> Self:
        """Learn from training segments; see `imputation.Predictor`."""
        from sklearn.neural_network import MLPRegressor

        rng = np.random.default_rng(self.seed)
        self.mean_ = training_mean(x, present)
        few = rng.permutation(len(x))[: max(1, 8 * self.n_examples // present[0].size)]
        _, n_segments, n_rois, _ = x.shape
        visible = draw_masks(rng, len(few), n_segments, n_rois, RATIO) & present[few]
        places = np.argwhere(~visible & present[few])
        places = places[rng.permutation(len(places))[: self.n_examples]]
        z = centred(x[few], present[few], self.mean_)
        self.network_ = MLPRegressor(
            hidden_layer_sizes=(64, 64), early_stopping=True, max_iter=60, random_state=self.seed
        ).fit(self._context(z, visible, places), z[tuple(places.T)])
        return self

    def predict(self, x: np.ndarray, visible: np.ndarray) -> np.ndarray:
        """Fill in what is not visible; see `imputation.Predictor`."""
        z = centred(x, visible, self.mean_)
        places = np.argwhere(~visible)
        deviation = np.zeros(z.shape)
        if len(places):
            deviation[tuple(places.T)] = self.network_.predict(self._context(z, visible, places))
        return filled(x, visible, self.mean_, deviation)

    def _context(self, z: np.ndarray, visible: np.ndarray, places: np.ndarray) -> np.ndarray:  # noqa: ARG002
        return np.asarray(np.eye(z.shape[2])[places[:, 2]])


class OtherSegments(OwnRoi):
    """A small network that sees the same ROI's nearest visible segments: all that a ROI tells."""

    name: ClassVar[str] = "the ROI's other segments"

    def _context(self, z: np.ndarray, visible: np.ndarray, places: np.ndarray) -> np.ndarray:
        """The segments before and after, and how near they are."""
        run, segment, roi = places.T
        parts = []
        for nearest in neighbours(visible):
            found = nearest[run, segment, roi]
            known = found >= 0
            values = z[run, np.maximum(found, 0), roi]
            parts.append(np.where(known[:, None], values, 0.0))
            parts.append(np.where(known, 1 / np.maximum(np.abs(found - segment), 1), 0.0)[:, None])
        return np.concatenate(parts, axis=1)


_WEAKER = ("mean", "interpolation", "AR", "PCA", OtherSegments.name)
_CONTROLS = ("mean", OwnRoi.name, "random weights")


def checks() -> list[Check]:
    """Measure reconstruction, embeddings and transfer; about five minutes on two cores.

    Returns
    -------
    list of Check
        Checks T1, T4 and T7 of the validation plan.
    """
    plan = Plan()
    train, test = _cohorts(plan)
    settings = settings_of(plan.n_steps)
    model = pretrain(train, settings, seed=0).model
    return [
        *reconstruction_checks(plan, train, test, model, settings),
        *embedding_checks(plan, model, train, settings),
        *transfer_checks(plan),
    ]


def _cohorts(plan: Plan) -> tuple[Runs, Runs]:
    simulation, first = plan.simulation(), plan.n_training
    return (
        runs_of((simulation, range(first))),
        runs_of((simulation, range(first, first + plan.n_test))),
    )


def reconstruction_checks(
    plan: Plan, train: Runs, test: Runs, model: BrainMAE, settings: BrainmaeSettings
) -> list[Check]:
    """T1: masked R2 beside what linear predictors and controls reach on the same entries."""
    r2, drawn = _scores(plan, train, test, model, settings)
    best = max(r2["interpolation"], r2["AR"])
    about = (
        f"{plan.n_test} test and {plan.n_training} training subjects of {plan.duration:g} s, "
        f"{plan.n_steps} steps, half of the ROIs hidden"
    )
    beside = ", ".join(f"{name} {value:.4f}" for name, value in r2.items())
    ceiling = ", ".join(f"{name} {value:.4f}" for name, value in drawn.items())
    return [
        at_least("T1 masked R2 / Wiener filter's", r2[OURS] / r2["Wiener"], 0.95,
                 f"{about}: {beside}; on {plan.n_patterns} segments: {ceiling}"),
        *(at_least(f"T1 masked R2 above {name}", r2[OURS] - r2[name], 0.0, f"{r2[name]:.4f}")
          for name in _WEAKER),
        *(at_most(f"T1 control above interpolation and AR: {name}", r2[name] - best, 0.0,
                  f"{r2[name]:.4f} against {best:.4f}")
          for name in _CONTROLS),
    ]  # fmt: skip


def _scores(
    plan: Plan, train: Runs, test: Runs, model: BrainMAE, settings: BrainmaeSettings
) -> tuple[dict[str, float], dict[str, float]]:
    """Masked R2 of everything on all segments, and beside the slow filter on those it saw."""
    seen, held = stacked(train, settings), stacked(test, settings)
    train_x, train_present = seen.x.numpy(), seen.present.numpy()
    x, present = held.x.numpy(), held.present.numpy()
    table = score_predictors(
        train_x,
        train_present,
        x,
        present,
        (RATIO,),
        predictors=[*default_predictors(), OtherSegments(), OwnRoi()],
        max_patterns=plan.n_patterns,
    )
    reference = training_mean(train_x, train_present)
    n_runs, n_segments, n_rois = present.shape
    mask = evaluation_masks(n_runs, n_segments, n_rois, RATIO, 0)
    drawn = drawn_segments(n_runs, n_segments, plan.n_patterns, 0)[..., None]
    hidden, size = ~mask & present, settings.segments.n_segments
    tables = [table]
    for name, one in (
        (OURS, model),
        ("random weights", new_model(train, settings, 1).eval()),
    ):
        guess = model_prediction(one, held, torch.from_numpy(hidden), size)
        tables.append(score_rows(name, RATIO, x, guess, hidden, reference))
        rows = score_rows(name, RATIO, x, guess, hidden & drawn, reference)
        tables.append(rows.assign(segments="drawn"))
    found = pooled_r2(pd.concat(tables, ignore_index=True))[RATIO]
    every, few = (found.xs(kind, level="segments") for kind in ("all", "drawn"))
    few = few[[OURS, "Wiener", "spatio-temporal Wiener"]]
    return _numbers(every), _numbers(few)


def _numbers(column: pd.Series) -> dict[str, float]:
    return {str(name): float(value) for name, value in column.items()}


def cosines(embedding: np.ndarray) -> np.ndarray:
    """Cosine of every pair of rows, shape (n_rows, n_rows)."""
    unit = embedding / np.linalg.norm(embedding, axis=1, keepdims=True)
    return np.asarray(unit @ unit.T)


def network_ari(embedding: np.ndarray, networks: np.ndarray) -> float:
    """Adjusted Rand index of k-means on embeddings against planted networks.

    Parameters
    ----------
    embedding : array of shape (n_rois, d)
    networks : array of int of shape (n_rois,)
        As many clusters are sought.
    """
    from sklearn.cluster import KMeans
    from sklearn.metrics import adjusted_rand_score

    kmeans = KMeans(len(np.unique(networks)), n_init=10, random_state=0)
    return float(adjusted_rand_score(networks, kmeans.fit_predict(embedding)))


def embedding_checks(
    plan: Plan, model: BrainMAE, train: Runs, settings: BrainmaeSettings
) -> list[Check]:
    """T4: planted networks in the ROI embeddings, and their likeness in other subjects."""
    simulation = plan.simulation()
    networks = population(simulation).networks[roi_order(plan.n_rois)]
    others = range(plan.n_training + plan.n_test, simulation.n_subjects)
    short = settings_of(plan.n_short)
    second = pretrain(runs_of((simulation, others)), short, seed=1).model
    mine, theirs = _embedding(model), _embedding(second)
    together = edges(networks[:, None] == networks)
    pairs = pair_counts(together, edges(cosines(mine)), np.zeros(len(together), dtype=int))
    random = _embedding(new_model(train, settings, 2))
    by_place = settings.model_copy(
        update={"model": settings.model.model_copy(update={"variant": "possg"})}
    )
    place = _embedding(new_model(train, by_place, 2))
    return [
        at_least("T4 networks from embeddings: ARI", network_ari(mine, networks), 0.9,
                 f"k-means, 7 clusters of {plan.n_rois} ROIs; seed 1, other subjects, "
                 f"{plan.n_short} steps: {network_ari(theirs, networks):.3f}"),
        at_least("T4 same-network pairs by cosine: AUC",
                 float(auroc_from_pairs(pairs, together)[0]), 0.95),
        at_least("T4 similarity matrices of two halves: r", _likeness(mine, theirs), 0.9,
                 f"twice {plan.n_training} subjects, none in both, two seeds"),
        near("T4 initial embeddings: ARI", network_ari(random, networks), 0.0, 0.1),
        near("T4 initial embeddings of two seeds: r",
             _likeness(random, _embedding(new_model(train, settings, 3))), 0.0, 0.1),
        near("T4 fixed code of the ROI's place (PosSG): ARI", network_ari(place, networks), 0.0,
             0.1, "ROIs in random order"),
    ]  # fmt: skip


def _embedding(model: BrainMAE) -> np.ndarray:
    return np.asarray(model.embedding.detach().numpy())


def _likeness(first: np.ndarray, second: np.ndarray) -> float:
    return float(np.corrcoef(edges(cosines(first)), edges(cosines(second)))[0, 1])


def transfer_checks(
    plan: Plan, seen: tuple[float, float] = (0.72, 1.0), other: float = 1.6
) -> list[Check]:
    """T7: a network of two repetition times on a third, beside one that was trained on it."""
    half, first = plan.n_training // 2, plan.n_training
    fast, slow = (plan.simulation(repetition_time=time) for time in seen)
    target = plan.simulation(repetition_time=other)
    test = runs_of((target, range(first, first + plan.n_test)))
    settings = settings_of(plan.n_short)
    held = stacked(test, settings)
    present = held.present.numpy()
    n_runs, n_segments, n_rois = present.shape
    hidden = ~evaluation_masks(n_runs, n_segments, n_rois, RATIO, 0) & present
    size = settings.segments.n_segments
    found = []
    for train in (
        runs_of((fast, range(half)), (slow, range(half, first))),
        runs_of((target, range(first))),
    ):
        model = pretrain(train, settings, seed=0).model
        guess = model_prediction(model, held, torch.from_numpy(hidden), size)
        rows = score_rows(OURS, RATIO, held.x.numpy(), guess, hidden)
        found.append(float(pooled_r2(rows)[RATIO].iloc[0]))
    transferred, within = found
    times = " and ".join(f"{time:g}" for time in seen)
    return [
        at_least(f"T7 TR {other:g} s from {times} s: masked R2 / that of training on it",
                 transferred / within, 0.9,
                 f"{transferred:.4f} and {within:.4f}, {plan.n_short} steps each"),
    ]  # fmt: skip
