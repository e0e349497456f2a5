"""Small graphs."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st


def planted(sizes, inside=0.9, outside=0.15, contrast=3.0, seed=0):
    """Assortative blocks whose inner edges are more and heavier; returns weights and labels."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(len(sizes)), sizes)
    same = labels[:, None] == labels
    edges = rng.random(same.shape) < np.where(same, inside, outside)
    return symmetric(edges * rng.exponential(np.where(same, contrast, 1.0))), labels


def symmetric(weights):
    upper = np.triu(weights, k=1)
    return upper + upper.T


def random_graph(n, seed, unknown=0.1, density=0.4):
    rng = np.random.default_rng(seed)
    weights = symmetric((rng.random((n, n)) < density) * rng.exponential(2.0, (n, n)))
    hidden = symmetric((rng.random((n, n)) < unknown).astype(float)) > 0
    weights[hidden] = np.nan
    return weights


@st.composite
def graphs_with_labels(draw):
    n = draw(st.integers(3, 12))
    weights = random_graph(n, draw(st.integers(0, 10**6)), draw(st.sampled_from([0.0, 0.2])))
    labels = np.array(draw(st.lists(st.integers(0, 4), min_size=n, max_size=n)))
    return weights, np.unique(labels, return_inverse=True)[1]
