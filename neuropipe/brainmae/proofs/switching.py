"""Reconstruction where hidden states switch: what no linear model can do.

In every state some sub-networks change sign, so that one covariance tells little of a hidden ROI,
and the noise has the spectrum of the signal, so that smoothing over time gains nothing. Whoever
knows the state does better: the gap between linear predictors and the state-aware oracle is what
there is to be won.

Axis legend: r runs, k segments, n ROIs, l samples of a segment.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from scipy.linalg import cho_factor, cho_solve

from neuropipe.brainmae.data import Runs, runs_of_arrays
from neuropipe.brainmae.fit import pretrain
from neuropipe.brainmae.gaussian_imputation import Wiener
from neuropipe.brainmae.heldout import OURS, model_prediction, stacked
from neuropipe.brainmae.imputation import Predictor, evaluation_masks
from neuropipe.brainmae.inference import embed
from neuropipe.brainmae.model import BrainMAE
from neuropipe.brainmae.proofs.cohorts import Plan, roi_order, settings_of
from neuropipe.brainmae.reconstruction import SpatioTemporalWiener, pooled_r2, score_rows
from neuropipe.brainmae.settings import BrainmaeSettings
from neuropipe.simulate.fmri import population, sim_fmri
from neuropipe.simulate.fmri_oracle import segment_covariance
from neuropipe.simulate.settings import FmriSimulation
from neuropipe.simulate.states import segment_states
from neuropipe.stats.checks import Check, at_least
from neuropipe.stats.connectivity_matrices import correlation, edges, fisher_z
from neuropipe.stats.resampling import bootstrap_interval

__all__ = ["Cohort", "Oracle", "checks", "gap_closed", "state_accuracy", "switching_checks"]

RATIOS = (0.5, 0.8)
_LINEAR = ("spatio-temporal Wiener", "linear, true covariance")
_AWARE, _BLIND = "state-aware oracle", "oracle that has to find the state"


@dataclass(frozen=True)
class Cohort:
    """Subjects whose states are known.

    Parameters
    ----------
    simulation : FmriSimulation
    runs : Runs
    states : array of int of shape (r, k)
        State of each segment; -1 where it changes within the segment.
    """

    simulation: FmriSimulation
    runs: Runs
    states: np.ndarray

    @classmethod
    def drawn(cls, simulation: FmriSimulation, settings: BrainmaeSettings) -> Cohort:
        """Simulate all subjects."""
        data = sim_fmri(simulation)
        bold = data.bold[:, :, roi_order(simulation.n_rois)]
        runs = runs_of_arrays(list(bold), [simulation.repetition_time] * len(bold))
        n_segments = runs.n_segments(0, settings.segments)
        times = np.arange(n_segments + 1) * settings.segments.duration
        borders = np.round(times / simulation.repetition_time).astype(int)
        states = np.stack([segment_states(path, borders) for path in data.states])
        return cls(simulation, runs, states)

    def select(self, chosen: range) -> Cohort:
        """Some of the subjects."""
        return Cohort(self.simulation, self.runs.select(chosen), self.states[list(chosen)])

    def pure(self, n_segments: int, seed: int = 0) -> np.ndarray:
        """Segments of one state, at most `n_segments` of each subject; bool of shape (r, k)."""
        chance = np.random.default_rng(seed).random(self.states.shape)
        order = np.where(self.states >= 0, chance, 2).argsort(axis=1).argsort(axis=1)
        return np.asarray((order < n_segments) & (self.states >= 0))


class Oracle:
    """Conditional means with the true covariances of a simulation.

    Parameters
    ----------
    cohort : Cohort
        Whose segments are filled in.
    n_points : int
    """

    def __init__(self, cohort: Cohort, n_points: int) -> None:
        simulation, self.cohort = cohort.simulation, cohort
        shared = population(simulation)
        times = np.arange(n_points) * simulation.repetition_time
        order = roi_order(simulation.n_rois)
        rows = (order[:, None] * n_points + np.arange(n_points)).ravel()
        states: list[int | None] = [*range(len(shared.covariances)), None]
        found = [segment_covariance(simulation, shared, times, state=state) for state in states]
        self.covariances = [covariance[np.ix_(rows, rows)] for covariance in found[:-1]]
        self.average = found[-1][np.ix_(rows, rows)]

    def predictions(
        self, x: np.ndarray, visible: np.ndarray, scored: np.ndarray
    ) -> dict[str, np.ndarray]:
        """Fill in segments by the averaged covariance, by the true state's and by all states'.

        Parameters
        ----------
        x : array of shape (r, k, n, l)
            z-scored, as the network gets it.
        visible : array of bool of shape (r, k, n)
        scored : array of bool of shape (r, k)
            Segments of one state.

        Returns
        -------
        dict of str to array of the shape of `x`
            0 where it is not scored. Where the state is to be found, states are weighted by their
            likelihood in the visible samples of the segment.
        """
        names = (_LINEAR[1], _AWARE, _BLIND)
        found = {name: np.zeros_like(x) for name in names}
        for run, segment in np.argwhere(scored):
            seen = visible[run, segment]
            sd = self.cohort.runs.runs[run].sd[:, None]
            values = (x[run, segment] * sd)[seen].ravel()
            average, _ = _conditional(self.average, seen, values)
            each = [_conditional(one, seen, values) for one in self.covariances]
            log_likelihood = np.array([value for _, value in each])
            weight = np.exp(log_likelihood - log_likelihood.max())
            means = np.stack([mean for mean, _ in each])
            blind = np.tensordot(weight / weight.sum(), means, axes=1)
            aware = means[self.cohort.states[run, segment]]
            for name, mean in zip(names, (average, aware, blind), strict=True):
                found[name][run, segment, ~seen] = mean / sd[~seen]
        return found


def _conditional(
    covariance: np.ndarray, seen: np.ndarray, values: np.ndarray
) -> tuple[np.ndarray, float]:
    """Mean (n_hidden, l) of the hidden ROIs, and log-likelihood of the visible up to a constant."""
    n_points = len(covariance) // len(seen)
    entries = np.repeat(seen, n_points)
    factor = cho_factor(covariance[np.ix_(entries, entries)], lower=True, check_finite=False)
    solved = cho_solve(factor, values, check_finite=False)
    mean = (covariance[np.ix_(~entries, entries)] @ solved).reshape(-1, n_points)
    return mean, float(-(values @ solved) / 2 - np.log(np.diag(factor[0])).sum())


def settings_to_learn_states(n_steps: int = 4500) -> BrainmaeSettings:
    """Settings under which a network finds the states, chosen on another simulated population.

    Attention that adapts to the sample (AG) compares ROIs with each other, which is what tells the
    state: it learns it several times faster than static graphs (SG). Small shares of hidden ROIs
    teach little.
    """
    return settings_of(n_steps, model={"variant": "ag"}, mask={"low": 0.4})


def checks(*, full: bool = False) -> list[Check]:
    """Measure reconstruction with switching states; about a quarter of an hour on two cores.

    Parameters
    ----------
    full : bool
        Nothing is measured without.

    Returns
    -------
    list of Check
        Check T2 of the validation plan.
    """
    return switching_checks(Plan(), settings_to_learn_states()) if full else []


def switching_checks(
    plan: Plan, settings: BrainmaeSettings, *, n_scored: int = 10, seed: int = 0
) -> list[Check]:
    """T2: the network beside linear predictors and oracles, on segments of one state.

    Parameters
    ----------
    plan : Plan
    settings : BrainmaeSettings
    n_scored : int
        Segments of each test subject.
    seed : int
        Of the cohort.
    """
    simulation = plan.simulation(
        switching="loadings",
        noise="matched",
        n_subjects=plan.n_training + plan.n_test,
        seed=seed,
    )
    cohort = Cohort.drawn(simulation, settings)
    train = cohort.select(range(plan.n_training))
    test = cohort.select(range(plan.n_training, simulation.n_subjects))
    model = pretrain(train.runs, settings, seed=0).model
    table = scores(model, train, test, settings, n_scored)
    r2 = pooled_r2(table).droplevel("segments")
    by_ratio = {
        ratio: {str(name): float(value) for name, value in r2[ratio].items()} for ratio in RATIOS
    }
    linear = max(_LINEAR, key=by_ratio[0.8].__getitem__)
    closed = {ratio: gap_closed(by_ratio[ratio], linear) for ratio in RATIOS}
    low, high = difference_interval(table[table["ratio"] == 0.8], linear)
    accuracy = state_accuracy(model, train, test, settings)
    beside = "; ".join(
        f"{ratio:g}: " + ", ".join(f"{name} {value:.4f}" for name, value in row.items())
        for ratio, row in by_ratio.items()
    )
    about = f"{plan.n_test} test subjects, {n_scored} segments each"
    return [
        at_least("T2 masked R2 minus the linear predictor's, ratio 0.8: lower end of 95 %", low,
                 1e-9, f"to {high:.4f}, bootstrap over {about}; against {linear}; {beside}"),
        at_least("T2 share of the gap to the oracle that is closed, ratio 0.8", closed[0.8], 0.25,
                 f"aim; at 0.5: {closed[0.5]:.3f}; the state is in the visible ROIs: an oracle "
                 f"that has to find it {by_ratio[0.8][_BLIND]:.4f}"),
        Check("T2 states decoded from single segments' read-outs: accuracy",
              accuracy["read-outs"], "reported", bool(np.isfinite(accuracy["read-outs"])),
              ", ".join(f"{name} {value:.3f}" for name, value in accuracy.items())
              + f"; chance {1 / simulation.n_states:g}, linear, other subjects"),
    ]  # fmt: skip


def scores(
    model: BrainMAE, train: Cohort, test: Cohort, settings: BrainmaeSettings, n_scored: int
) -> pd.DataFrame:
    """Score the network, linear predictors and oracles on the same entries; see `score_rows`."""
    seen, held = stacked(train.runs, settings), stacked(test.runs, settings)
    train_x, train_present = seen.x.numpy(), seen.present.numpy()
    linear: list[Predictor] = [Wiener(), SpatioTemporalWiener()]
    fitted = [one.fit(train_x, train_present) for one in linear]
    x, scored = held.x.numpy(), test.pure(n_scored)
    oracle = Oracle(test, x.shape[3])
    n_runs, n_segments, n_rois = held.present.shape
    tables = []
    for ratio in RATIOS:
        visible = evaluation_masks(n_runs, n_segments, n_rois, ratio, 0)
        hidden = ~visible & scored[..., None]
        guesses = {}
        for one in fitted:
            guesses[one.name] = np.zeros_like(x)
            few = one.predict(x[scored][:, None], visible[scored][:, None])
            guesses[one.name][scored] = few[:, 0]
        guesses |= oracle.predictions(x, visible, scored)
        size = settings.segments.n_segments
        guesses[OURS] = model_prediction(model, held, torch.from_numpy(~visible), size)
        tables += [score_rows(name, ratio, x, guess, hidden) for name, guess in guesses.items()]
    return pd.concat(tables, ignore_index=True)


def gap_closed(r2: dict[str, float], linear: str) -> float:
    """How far the network gets from a linear predictor (0) to the state-aware oracle (1)."""
    return (r2[OURS] - r2[linear]) / (r2[_AWARE] - r2[linear])


def difference_interval(table: pd.DataFrame, linear: str) -> tuple[float, float]:
    """Interval over subjects of the network's pooled R2 minus a linear predictor's.

    Parameters
    ----------
    table : pandas.DataFrame
        Of `scores`, at one ratio.
    linear : str
    """
    rows = table.set_index(["predictor", "run"])
    ours, theirs = rows.loc[OURS], rows.loc[linear]
    won = (theirs["sse"] - ours["sse"]).to_numpy()

    def pooled(won: np.ndarray, total: np.ndarray, axis: int) -> np.ndarray:
        return np.asarray(won.sum(axis) / total.sum(axis))

    return bootstrap_interval(np.stack([won, ours["sst"].to_numpy()], axis=1), pooled)


def state_accuracy(
    model: BrainMAE, train: Cohort, test: Cohort, settings: BrainmaeSettings
) -> dict[str, float]:
    """Accuracy of states decoded from segments of one state by logistic regression.

    Parameters
    ----------
    model : BrainMAE
    train, test : Cohort
        The decoder learns from the former (at most 100 of them) and is scored on the latter.
    settings : BrainmaeSettings

    Returns
    -------
    dict of str to float
        From read-outs of single segments, from latent states (in the context of the run), and from
        the FC of windows of one, two and three segments about the segment's middle.
    """
    from sklearn.decomposition import PCA
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    few = train.select(range(min(100, len(train.runs.runs))))
    known, asked = _features(model, few, settings), _features(model, test, settings)
    labels, truth = (one.states[one.states >= 0] for one in (few, test))
    found = {}
    for name, rows in known.items():
        steps = [StandardScaler(), LogisticRegression(max_iter=300)]
        if name.startswith("FC"):
            steps.insert(0, PCA(min(100, *rows.shape), random_state=0))
        decoder = make_pipeline(*steps).fit(rows, labels)
        found[name] = float(decoder.score(asked[name], truth))
    return found


def _features(model: BrainMAE, cohort: Cohort, settings: BrainmaeSettings) -> dict[str, np.ndarray]:
    """Rows of all segments of one state."""
    found: dict[str, list[np.ndarray]] = {}
    length = settings.segments.duration
    for run, states in enumerate(cohort.states):
        pure = np.flatnonzero(states >= 0)
        segments = cohort.runs.segments(run, settings.segments)
        embedded = embed(model, segments, settings.segments.n_segments)
        found.setdefault("read-outs", []).append(embedded.states[pure])
        found.setdefault("latent states", []).append(embedded.latents[pure])
        values, step = cohort.runs.values(run), cohort.runs.steps[run]
        for window in (length, 2 * length, 3 * length):
            middle = (pure + 0.5) * length
            first = np.round((middle - window / 2) / step).astype(int)
            n_samples = round(window / step)
            first = first.clip(0, len(values) - n_samples)
            rows = [edges(correlation(values[a : a + n_samples])) for a in first]
            found.setdefault(f"FC of {window:g} s", []).append(fisher_z(np.array(rows)))
    return {name: np.concatenate(parts) for name, parts in found.items()}
