"""What is said of a run comes from the models that may say it."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from neuropipe.brainmae.heldout import model_prediction, stacked
from neuropipe.brainmae.inference import embed
from neuropipe.brainmae.recording_fit import fit_recording
from neuropipe.brainmae.similarity import cosine_similarity
from tests.unit.brainmae.result_builders import recording, runs_of


@pytest.fixture(scope="module")
def fitted(study, tmp_path_factory):
    runs = study.one(4, tmp_path_factory.mktemp("one"))
    return runs, fit_recording(runs, study.final, study.stores, study.settings)


def test_the_final_model_embeds_it(study, fitted):
    runs, fit = fitted
    model, _ = study.final.model()
    expected = embed(model, runs.segments(0, study.settings.segments), 6)
    assert fit.embedding.run == pytest.approx(expected.run, abs=1e-6)
    assert fit.embedding.attention.sum() == pytest.approx(1)
    assert fit.start.tolist() == [15.0 * k for k in range(8)]
    weights = model.embedding.detach().numpy()
    assert fit.similarity == pytest.approx(cosine_similarity(weights))


def test_a_model_that_has_not_seen_it_fills_it_in(study, fitted):
    runs, fit = fitted
    store = study.store(fit.left_out_by)
    assert runs.runs[0].owner not in store.card["subjects"]
    model, _ = store.model()
    segments = stacked(runs, study.settings)
    example = fit.example
    assert example.hidden.mean() == pytest.approx(0.5)
    hidden = torch.from_numpy(example.hidden[None])
    ours = model_prediction(model, segments, hidden, 6)[0]
    assert example.model == pytest.approx(ours, abs=1e-6)
    assert example.truth == pytest.approx(segments.x[0].numpy())
    visible = segments.present.numpy() & ~example.hidden
    wiener = store.wiener().predict(segments.x.numpy(), visible)[0]
    assert example.wiener == pytest.approx(wiener, abs=1e-6)


def test_the_example_agrees_with_the_scores(fitted):
    """The example hides other entries than the scores do, of the same run and share."""
    _, fit = fitted
    example = fit.example
    hidden = example.hidden
    error = ((example.truth - example.wiener)[hidden] ** 2).sum()
    r2 = 1 - error / (example.truth[hidden] ** 2).sum()
    rows = fit.scores[(fit.scores["predictor"] == "Wiener") & (fit.scores["ratio"] == 0.5)]
    assert len(rows) == 1
    assert r2 == pytest.approx(rows["r2"].iloc[0], abs=0.1)
    assert set(fit.scores["recording"]) == {"sub-03_run-1"}


def test_the_plane_holds_all_runs(study, fitted):
    _, fit = fitted
    assert fit.plane.recordings == [run.recording for run in study.runs.runs]


def test_absent_rois_are_neither_shown_nor_scored(study, tmp_path):
    runs = study.one(2, tmp_path)
    fit = fit_recording(runs, study.final, study.stores, study.settings)
    assert fit.absent == ["L0"]
    assert not fit.example.hidden[:, 0].any()
    assert np.isfinite(fit.embedding.latents).all()
    hidden = fit.scores[fit.scores["ratio"] == 0.5]["n_hidden"].iloc[0]
    assert hidden <= 8 * 4


def test_a_stranger_is_embedded_only(study, tmp_path):
    stranger = recording("77", "1", 7, n_times=40)
    runs = runs_of([stranger], study.settings, tmp_path, study.final.card["units"])
    fit = fit_recording(runs, study.final, study.stores, study.settings)
    assert fit.scores.empty
    assert fit.example is None
    assert fit.left_out_by == ""
    assert len(fit.embedding.attention) == 2
