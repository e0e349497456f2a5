"""Figures of a recording show both matrices and say how to read them."""

from __future__ import annotations

import numpy as np

from neuropipe.connectivity.data import usable_series
from neuropipe.connectivity.figures import recording_figures
from neuropipe.connectivity.fit import fit_recording
from neuropipe.connectivity.settings import ConnectivitySettings
from neuropipe.drawing import matrix_order
from tests.unit.connectivity.builders import recording


def test_lower_triangle_is_correlation_upper_is_partial():
    found = usable_series(recording(n_times=400), ConnectivitySettings())
    fit = fit_recording(found, ConnectivitySettings(n_shuffles=99))
    figure = recording_figures(found, fit, "ROI")[0].figure
    image = np.asarray(figure.axes[0].images[0].get_array())
    order = matrix_order(found.units, fit.correlation).units
    r = fit.correlation[np.ix_(order, order)]
    partial = fit.partial[np.ix_(order, order)]
    below, above = np.tril_indices(12, -1), np.triu_indices(12, 1)
    limit = figure.axes[0].images[0].get_clim()[1]
    assert np.abs(image[below] - np.clip(r[below], -limit, limit)).max() < limit / 16
    assert np.corrcoef(image[above], partial[above])[0, 1] > 0.95
    assert np.ma.is_masked(np.ma.masked_invalid(image).diagonal())


def test_captions_say_how_to_read():
    found = usable_series(recording(n_times=400), ConnectivitySettings())
    fit = fit_recording(found, ConnectivitySettings(n_shuffles=99))
    matrix_figure, edge_figure = recording_figures(found, fit, "ROI")
    assert "Look for" in matrix_figure.caption
    assert "dealt out at random" in edge_figure.caption
    assert len(edge_figure.figure.axes) == 3
