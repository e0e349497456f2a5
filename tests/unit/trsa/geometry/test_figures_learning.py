"""Drawings of learning show the numbers that they are drawn from."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.colors import to_rgba

from neuropipe.plotting import new_figure
from neuropipe.trsa.figures_learning import draw_spectrum, draw_trajectory
from neuropipe.trsa.geometry.alignment import alignment_trajectory
from neuropipe.trsa.geometry.proofs import figures as proof
from neuropipe.trsa.geometry.proofs import laziness
from neuropipe.trsa.geometry.spectra import connectivity_spectrum


@pytest.fixture
def ax():
    return new_figure(3.0).subplots()


@pytest.mark.parametrize("debiased", [False, True])
def test_trajectories_have_the_ellipses_of_their_resamples(ax, debiased):
    rng = np.random.default_rng(0)
    inputs, targets = rng.standard_normal((2, 20, 5))
    layers = {"one": inputs + 0.5 * rng.standard_normal((20, 5)), "two": inputs + targets}
    way = alignment_trajectory(layers, inputs, targets, n_resamples=400)
    draw_trajectory(ax, way, "red", "network", debiased=debiased)
    path, first = ax.get_lines()
    np.testing.assert_array_equal(path.get_xydata(), way.points(debiased=debiased))
    assert first.get_markerfacecolor() == "white"
    assert len(ax.patches) == len(layers)
    for k, ellipse in enumerate(ax.patches):
        assert to_rgba("red")[:3] == ellipse.get_facecolor()[:3]
        draws = np.stack([way.inputs[k].draws[int(debiased)], way.targets[k].draws[int(debiased)]])
        shift = draws - draws.mean(axis=1, keepdims=True)  # repeated conditions raise them
        inside = ellipse.contains_points(
            ax.transData.transform((shift + np.array(ellipse.center)[:, None]).T)
        )
        assert inside.mean() > 0.85


def test_steps_without_resamples_have_no_ellipse(ax):
    rng = np.random.default_rng(0)
    patterns = rng.standard_normal((3, 5))  # too few for the debiased form
    way = alignment_trajectory({"one": patterns}, patterns, patterns, n_resamples=20)
    draw_trajectory(ax, way, "red", "network", debiased=True)
    assert not ax.patches


def test_spectra_tell_modes_from_the_rest(ax):
    rng = np.random.default_rng(0)
    weights = rng.standard_normal((40, 40)) + 2 * np.outer(*rng.standard_normal((2, 40)))
    found = connectivity_spectrum(weights, n_shuffles=20)
    draw_spectrum(ax, found)
    rest, modes = ax.get_lines()
    assert len(modes.get_xdata()) == found.n_outliers == 1
    assert np.append(modes.get_ydata(), rest.get_ydata()) == pytest.approx(found.singular_values)


def test_proofs_are_drawn(monkeypatch, tmp_path):
    monkeypatch.setattr(proof, "_STEPS", (0, 3))
    monkeypatch.setattr(laziness, "NORMS", (1.0,))
    monkeypatch.setattr(laziness, "RANKS", (2,))
    monkeypatch.setattr(proof, "_N_SEEDS", 1)
    found = proof.figures()
    assert list(found) == ["abstraction", "laziness"]
    for name, figure in found.items():
        figure.savefig(tmp_path / f"{name}.svg")
        assert (tmp_path / f"{name}.svg").stat().st_size < 200_000
    plane, product, dimensions = found["abstraction"].axes
    assert all(len(ax.patches) == 2 * 2 for ax in (plane, product))  # two networks, two steps
    assert len(dimensions.get_lines()) == 4
