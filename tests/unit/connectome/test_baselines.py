"""Baselines find what is planted in windows, and fail where they are known to."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from neuropipe.connectome import baselines
from neuropipe.connectome.affinity import rates_of_change
from neuropipe.connectome.baselines import (
    METHODS,
    Windows,
    baseline_partitions,
    mean_affinity,
    sliding_partitions,
    surprise,
)
from neuropipe.connectome.operators import dense_affinities
from neuropipe.connectome.settings import AffinitySettings
from neuropipe.connectome.windows import refold
from neuropipe.errors import InputError

N_UNITS, LENGTH = 16, 160
PARTITIONS = np.stack([np.arange(N_UNITS) // 8, np.arange(N_UNITS) % 2])
BOUNDS = np.array([[0, LENGTH], [LENGTH, 2 * LENGTH]])


def planted(missing: float = 0.0, n_animals: int = 4, seed: int = 0) -> Windows:
    """Units of a community share random transients; the second window regroups them."""
    rng = np.random.default_rng(seed)
    kernel = np.exp(-np.arange(12) / 4)
    traces = []
    for _ in range(n_animals):
        parts = []
        for partition in PARTITIONS:
            common = rng.random((2, LENGTH)) < 0.05
            events = common[partition] * 1.0 + (rng.random((N_UNITS, LENGTH)) < 0.02)
            parts.append(np.stack([np.convolve(e, kernel)[:LENGTH] for e in events]))
        traces.append(np.concatenate(parts, axis=1))
    noisy = np.stack(traces) + 0.1 * rng.standard_normal((n_animals, N_UNITS, 2 * LENGTH))
    noisy[rng.random((n_animals, N_UNITS)) < missing] = np.nan
    return Windows(noisy, 4.0, BOUNDS)


def scores(labels):
    return [adjusted_rand_score(a, b) for a, b in zip(PARTITIONS, labels, strict=True)]


def test_every_method_but_the_static_one_tells_the_windows_apart(monkeypatch):
    monkeypatch.setattr(baselines, "_DENSITY", 7 / 15)  # pairs within two communities of 8
    data = planted(missing=0.15)
    found = baseline_partitions(data, rank=4)
    assert list(found) == list(METHODS)
    for name, labels in found.items():
        assert labels.shape == (2, N_UNITS)
        if name == "static correlation":
            assert np.array_equal(labels[0], labels[1])
            assert min(scores(labels)) < 0.5
        elif name not in ("factorization, zero fill", "TCA"):
            assert min(scores(labels)) > 0.8, name


def test_tca_finds_communities_whose_events_are_locked():
    data = planted(n_animals=1)
    repeats = np.repeat(data.traces, 4, axis=0)
    noise = 0.05 * np.random.default_rng(1).standard_normal(repeats.shape)
    locked = replace(data, traces=repeats + noise)
    assert min(scores(baseline_partitions(locked, ["TCA"], rank=4)["TCA"])) > 0.6


def test_only_the_oracle_knows_who_shows_a_window():
    data = planted(n_animals=6)
    traces = data.traces.copy()
    rng = np.random.default_rng(2)
    for animal in range(1, 6):  # these show other communities in the second window
        traces[animal, :, LENGTH:] = traces[animal, rng.permutation(N_UNITS), LENGTH:]
    shown = np.ones((6, 2), dtype=bool)
    shown[1:, 1] = False
    name = "oracle: window correlation"
    told = baseline_partitions(Windows(traces, 4.0, BOUNDS, shown), [name])[name]
    untold = baseline_partitions(Windows(traces, 4.0, BOUNDS), [name])[name]
    assert scores(told)[1] > 0.9 > scores(untold)[1]


@pytest.mark.parametrize("kind", ["geo", "prod"])
def test_mean_affinity_is_that_of_the_tensor(kind):
    data = planted(missing=0.4, n_animals=3, seed=3)
    presence = np.isfinite(data.traces).any(axis=-1)
    rates = rates_of_change(data.traces, 4.0, AffinitySettings()).astype(float)
    values, mask = dense_affinities(rates, presence, kind)
    count = mask.sum(axis=1)
    known = np.where(count > 0, count, np.nan)
    expected = refold(values[0].mean(axis=-1).sum(axis=1) / known, N_UNITS)
    found = mean_affinity(rates, presence, kind)
    assert np.isnan(found).any()
    assert np.allclose(found, expected, equal_nan=True)


def test_surprise_finds_cliques_and_takes_graphs_without_edges():
    blocks = np.repeat(np.arange(4), 5)
    weights = np.where(blocks[:, None] == blocks, 1.0, -0.2)
    np.fill_diagonal(weights, 0)
    weights[4, 5] = weights[5, 4] = 0.1
    assert adjusted_rand_score(surprise(weights), blocks) == 1
    assert len(set(surprise(np.zeros((5, 5))))) == 5


def test_states_of_sliding_windows_return():
    data = planted(seed=4)
    again = np.concatenate([data.traces, data.traces], axis=-1)
    bounds = np.concatenate([BOUNDS, BOUNDS + 2 * LENGTH])
    labels = sliding_partitions(replace(data, traces=again, bounds=bounds), length=80, step=20,
                                n_states=2)  # fmt: skip
    assert np.array_equal(labels[0], labels[2])
    assert np.array_equal(labels[1], labels[3])
    assert min(scores(labels[:2])) > 0.9


def test_a_method_that_is_not_known_is_refused():
    with pytest.raises(InputError, match=r"Combo.*static correlation"):
        baseline_partitions(planted(), ["Combo"])
