"""The parts of a dataset's result, each from the models that may say it."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from neuropipe.brainmae.features import BlockScale
from neuropipe.brainmae.group_fit import feature_plane, fit_group
from neuropipe.brainmae.heldout import OURS
from tests.unit.brainmae.result_builders import N_SUBJECTS


@pytest.fixture(scope="module")
def fit(study):
    return fit_group(study.runs, "toy", study.stores, study.predictions, study.settings)


def test_every_run_is_scored_by_one_model(study, fit):
    ours = fit.scores[(fit.scores["predictor"] == OURS) & (fit.scores["ratio"] == 0.5)]
    assert sorted(ours["recording"]) == sorted(run.recording for run in study.runs.runs)
    assert {p.n for p in fit.pooled} == {N_SUBJECTS}
    assert len(fit.pooled) == 4 * 2


def test_the_plane_keeps_most_of_the_variance(study, fit):
    names = [run.recording for run in study.runs.runs]
    blocks = study.final.blocks(names)
    x = BlockScale(blocks, study.settings.pool)(blocks)
    centred = x - x.mean(axis=0)
    values = np.linalg.eigvalsh(centred @ centred.T)[::-1]
    assert fit.plane.explained == pytest.approx(values[:2] / values.sum(), rel=1e-4)
    assert (fit.plane.position**2).sum(axis=0) == pytest.approx(values[:2], rel=1e-4)
    assert fit.plane.position.mean(axis=0) == pytest.approx(0, abs=1e-4)


def test_two_runs_make_no_plane(study):
    store = type(study.final)(study.final.folder)
    store.__dict__["arrays"] = study.final.arrays.isel(recording=[0, 1])
    assert feature_plane(store, study.settings) is None


def test_rows_are_in_the_order_of_tables(fit):
    (result,) = fit.results
    assert [row.name for row in result.rows] == [
        "BrainMAE", "BrainMAE, connectivity alone", "BrainMAE, dynamics alone", "correlation",
        "tangent", "correlation + BrainMAE", "BrainMAE, fine-tuned",
    ]  # fmt: skip
    assert [row.refitted for row in result.rows] == [True] * 6 + [False]
    assert result.folds.shape == (1, N_SUBJECTS)


def test_predictions_of_another_target_are_left_alone(study, tmp_path):
    other = xr.Dataset({"full": (("seed", "subject"), np.zeros((1, 10)))}, attrs={"target": "x"})
    other.to_netcdf(tmp_path / "x.nc", engine="h5netcdf")
    found = fit_group(study.runs, "toy", study.stores, [tmp_path / "x.nc"], study.settings)
    assert "BrainMAE, fine-tuned" not in [row.name for row in found.results[0].rows]


def test_nothing_is_predicted_without_targets(study):
    settings = study.settings.model_copy(update={"targets": ()})
    found = fit_group(study.runs, "toy", study.stores, [], settings)
    assert found.results == []
    assert found.identification.chance == pytest.approx(1 / N_SUBJECTS)
    assert len(found.similarity.tests) == 2
