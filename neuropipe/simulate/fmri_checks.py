"""What the fMRI generator claims, measured."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from neuropipe.simulate.fmri import STEP, FmriData, sim_fmri
from neuropipe.simulate.fmri_oracle import (
    conditional_mean,
    masked_r2,
    segment_covariance,
    spatial_covariance,
    state_likelihood,
)
from neuropipe.simulate.processes import BAND
from neuropipe.simulate.settings import FmriSimulation
from neuropipe.simulate.states import dwell_times, segment_states
from neuropipe.stats.checks import Check, at_least, at_most, between, near

_L = 16  # samples a segment of 15 s


def checks() -> list[Check]:
    """Measure the claims; about 18 s on one core."""
    return [*_process_checks(), *_label_checks(), *_family_checks(), *_oracle_checks()]


def fc_features(bold: np.ndarray) -> np.ndarray:
    """Static functional connectivity of each subject.

    Parameters
    ----------
    bold : array of shape (n_subjects, n_volumes, n_rois)

    Returns
    -------
    array of shape (n_subjects, n_rois * (n_rois - 1) / 2)
        Fisher z of the correlations, upper triangle.
    """
    upper = np.triu_indices(bold.shape[2], 1)
    return np.stack([np.arctanh(np.corrcoef(series.T)[upper]) for series in bold])


def auroc(
    features: np.ndarray, labels: ArrayLike, groups: np.ndarray | None = None, *, seed: int = 0
) -> float:
    """Area under the ROC curve of a cross-validated logistic regression (5 folds).

    Parameters
    ----------
    features : array of shape (n_subjects, n_features)
    labels : array-like of shape (n_subjects,)
    groups : array of shape (n_subjects,), optional
        Subjects of one group stay on one side of the split.
    seed : int
        Of the folds.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import GroupKFold, StratifiedKFold
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    target = np.asarray(labels)
    model = make_pipeline(StandardScaler(), LogisticRegression(C=1e-3, max_iter=300))
    splitter = StratifiedKFold if groups is None else GroupKFold
    folds = splitter(5, shuffle=True, random_state=seed).split(features, target, groups)
    scores = []
    for train, test in folds:
        model.fit(features[train], target[train])
        scores.append(roc_auc_score(target[test], model.decision_function(features[test])))
    return float(np.mean(scores))


def transition_count(data: FmriData, settings: FmriSimulation, window: float) -> np.ndarray:
    """Estimate how often each subject changes state, from the series and the true covariances.

    Returns
    -------
    array of shape (n_subjects,)
        Share of neighbouring windows of `window` s whose likeliest states differ.
    """
    shared = data.population
    n_states = len(shared.covariances)
    covariances = np.stack(
        [spatial_covariance(settings, shared, state=state) for state in range(n_states)]
    )
    length = round(window / settings.repetition_time)
    n_windows = settings.n_volumes // length
    counts = []
    for series in data.bold.astype(float):
        windows = series[: n_windows * length].reshape(n_windows, length, -1)
        states = state_likelihood(covariances, windows).argmax(axis=1)
        counts.append(float((np.diff(states) != 0).mean()))
    return np.array(counts)


def _process_checks() -> list[Check]:
    settings = FmriSimulation(n_subjects=40, duration=600, repetition_time=0.72, y_fc=0)
    data = sim_fmri(settings)
    clean = sim_fmri(settings.model_copy(update={"snr": 1000.0, "n_subjects": 5}))
    power = np.abs(np.fft.rfft(clean.bold - clean.bold.mean(axis=1, keepdims=True), axis=1)) ** 2
    frequency = np.fft.rfftfreq(settings.n_volumes, settings.repetition_time)
    inside = (frequency >= BAND[0] * 0.8) & (frequency <= BAND[1] * 1.2)
    dwell = np.concatenate([dwell_times(path, settings.repetition_time) for path in data.states])
    share = np.bincount(data.states.ravel(), minlength=settings.n_states) / data.states.size
    deviation = (data.loadings - data.population.loadings).std()
    step = settings.repetition_time
    return [
        near("fmri: realised SNR / setting", data.signal_to_noise.mean() / settings.snr, 1, 0.1),
        at_least(
            "fmri: power of the signal at 0.01 to 0.1 Hz", power[:, inside].sum() / power.sum(),
            0.9, "5 runs of 600 s, switching states, SNR 1000",
        ),
        at_least("fmri: shortest dwell (s)", dwell.min(), settings.dwell[0] - step),
        at_most("fmri: longest dwell (s)", dwell.max(), settings.dwell[1] + step),
        near("fmri: mean dwell (s)", dwell.mean(), np.mean(settings.dwell), 2.0, f"{len(dwell)}"),
        at_most("fmri: share of time of states, largest distance from 1/5",
                np.abs(share - 1 / settings.n_states).max(), 0.05),
        near("fmri: sd of subjects' loadings", deviation, settings.subject_loading, 0.01),
        between("fmri: sd of delays (s)", data.population.delays.std(), 0.35, 0.65,
                f"setting {settings.delay_jitter}, grid {STEP} s"),
    ]  # fmt: skip


def _label_checks() -> list[Check]:
    base = FmriSimulation(n_subjects=160, duration=400, repetition_time=1.0, family_size=1)
    found = []
    data = sim_fmri(base)
    features = fc_features(data.bold)
    labels = data.participants
    how = "160 subjects of 400 s, logistic regression on static FC, 5 folds"
    found.append(at_least("fmri: AUROC of y_fc", auroc(features, labels["y_fc"]), 0.85, how))
    rng = np.random.default_rng(0)
    chance = [auroc(features, rng.permutation(labels["y_fc"].to_numpy())) for _ in range(10)]
    found.append(
        near("fmri: AUROC of permuted labels", np.mean(chance), 0.5, 0.05, f"10 times {how}")
    )
    for effect in ("rate", "order"):
        scores = []
        for seed in range(6):
            update = {"y_dyn": effect, "y_fc": 0.0, "switching": "loadings", "seed": seed}
            settings = base.model_copy(update=update)
            data = sim_fmri(settings)
            scores.append(auroc(fc_features(data.bold), data.participants["y_dyn"]))
        name = f"fmri: AUROC of y_dyn ({effect}) from static FC"
        found.append(near(name, np.mean(scores), 0.5, 0.06, f"6 seeds of {how}"))
        if effect == "rate":  # of the last seed
            counts = transition_count(data, settings, 5.0)[:, None]
            score = auroc(counts, data.participants["y_dyn"])
            detail = "changes of state between windows of 5 s, true covariances, seed 5"
            found.append(at_least("fmri: AUROC of y_dyn (rate) from states", score, 0.9, detail))
    settings = base.model_copy(update={"n_blocks": 4, "y_fc": 0.0})
    data = sim_fmri(settings)
    task = data.regressor > 0.5
    rest = data.regressor == 0
    label = data.participants["y_block"]
    inside, outside = (auroc(data.bold[:, part].mean(axis=1), label) for part in (task, rest))
    found.append(at_least("fmri: AUROC of y_block within task blocks", inside, 0.9, "ROI means"))
    found.append(near("fmri: AUROC of y_block at rest", outside, 0.5, 0.12, "ROI means"))
    return found


def _family_checks() -> list[Check]:
    settings = FmriSimulation(
        n_subjects=160, duration=400, family_size=4, switching="none", y_fc=0, subject_loading=0.3
    )
    data = sim_fmri(settings)
    features, label = fc_features(data.bold), data.participants["y_family"].to_numpy()
    family = data.participants["family_id"].to_numpy()
    rng = np.random.default_rng(0)
    # The label has no effect on the data, so that it may be drawn again.
    draws = [np.repeat(rng.permutation(label[:: settings.family_size]), 4) for _ in range(10)]
    whole = np.mean([auroc(features, one, family) for one in draws])
    how = "160 subjects, 40 families, label drawn a family"
    return [
        at_least("fmri: AUROC of y_family, siblings split", auroc(features, label), 0.8, how),
        near("fmri: AUROC of y_family, families kept whole", whole, 0.5, 0.1, f"10 times {how}"),
    ]


def _oracle_checks() -> list[Check]:
    base = FmriSimulation(n_subjects=40, duration=600, repetition_time=15 / _L, y_fc=0)
    still = base.model_copy(update={"switching": "none"})
    spatial, linear, _ = imputation(still, 0.5)
    found = [
        between("fmri: T1 masked R2 of the spatial Wiener filter", spatial, 0.4, 0.65,
                f"stationary, ratio 0.5; spatio-temporal {linear:.3f}"),
        at_least("fmri: T1 gain of time", linear - spatial, 0.005, "spatio-temporal - spatial"),
    ]  # fmt: skip
    update = {"switching": "loadings", "noise": "matched"}
    spatial, linear, aware = imputation(base.model_copy(update=update), 0.8)
    found += [
        at_least("fmri: T2 gap of the state-aware oracle", aware - linear, 0.08,
                 f"ratio 0.8: spatial {spatial:.3f}, linear {linear:.3f}, oracle {aware:.3f}"),
        at_most("fmri: T2 gain of time", linear - spatial, 0.02, "noise has the signal's spectrum"),
    ]  # fmt: skip
    return found


def imputation(settings: FmriSimulation, ratio: float) -> tuple[float, float, float]:
    """Masked R2 of three predictors on segments of 15 s that stay in one state.

    Parameters
    ----------
    settings : FmriSimulation
        Without label effects; the repetition time is 15/16 s.
    ratio : float
        Share of ROIs that are hidden for the whole segment (one draw).

    Returns
    -------
    tuple of float
        Spatial Wiener filter, linear spatio-temporal Wiener filter (both with the covariance
        averaged over states), state-aware spatio-temporal oracle.
    """
    data = sim_fmri(settings)
    shared, n = data.population, settings.n_rois
    n_segments = settings.n_volumes // _L
    edges = np.arange(n_segments + 1) * _L
    states = np.stack([segment_states(path, edges) for path in data.states])
    segments = data.bold[:, : n_segments * _L].reshape(len(data.bold), n_segments, _L, n)
    pure, states = segments[states >= 0].astype(float), states[states >= 0]
    visible = np.ones(n, dtype=bool)
    visible[np.random.default_rng(settings.seed).permutation(n)[: round(ratio * n)]] = False
    samples = pure.reshape(-1, n)
    guess = conditional_mean(spatial_covariance(settings, shared), visible, samples)
    spatial = masked_r2(samples[:, ~visible], guess)
    flat = pure.transpose(0, 2, 1).reshape(len(pure), -1)
    seen = np.repeat(visible, _L)
    times = np.arange(_L) * settings.repetition_time
    linear = conditional_mean(segment_covariance(settings, shared, times), seen, flat)
    aware = np.empty_like(linear)
    for state in np.unique(states):
        covariance = segment_covariance(settings, shared, times, state=int(state))
        aware[states == state] = conditional_mean(covariance, seen, flat[states == state])
    hidden = flat[:, ~seen]
    return spatial, masked_r2(hidden, linear), masked_r2(hidden, aware)
