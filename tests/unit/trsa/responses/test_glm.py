"""The GLM of a run: the betas of nilearn's first-level model, and what it cannot fit."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest

from neuropipe.errors import UnfitRecordingError
from neuropipe.trsa.responses.conditions import condition_events
from neuropipe.trsa.responses.glm import fit_glm
from neuropipe.trsa.settings import ResponseSettings
from tests.unit.trsa.responses.builders import (
    CONDITIONS,
    bold_recording,
    event_table,
    shuffled_trials,
    trace_recording,
)

TR, N_TIMES = 2.0, 120


def planted(seed=0, noise=1.0, **options):
    rng = np.random.default_rng(seed)
    onsets, labels = shuffled_trials(8, 7.0, rng)
    betas = 20 * rng.standard_normal((4, 12))
    recording = bold_recording(
        betas, onsets, labels, CONDITIONS, noise=noise, rng=rng, rho=0.4, n_times=N_TIMES, tr=TR,
        **options,
    )  # fmt: skip
    return recording, betas


def fitted(recording, **options):
    settings = ResponseSettings(**options)
    return fit_glm(recording, condition_events(recording, settings), settings)


@pytest.mark.parametrize("noise_model", ["ar1", "ols"])
@pytest.mark.parametrize("hrf", ["glover", "spm", "glover + derivative"])
def test_betas_are_those_of_nilearn(noise_model, hrf):
    from nilearn.glm.first_level import FirstLevelModel

    recording, _ = planted()
    found = fitted(recording, noise_model=noise_model, hrf=hrf)
    values = recording.signals.values.astype(np.float64)
    image = nib.Nifti1Image(values.T.reshape(3, 2, 2, N_TIMES), np.eye(4))
    mask = nib.Nifti1Image(np.ones((3, 2, 2), np.uint8), np.eye(4))
    model = FirstLevelModel(
        t_r=TR, hrf_model=hrf, drift_model="cosine", high_pass=0.01, noise_model=noise_model,
        mask_img=mask, signal_scaling=False, minimize_memory=False,
    )  # fmt: skip
    model.fit(image, events=recording.events[["onset", "duration", "trial_type"]])
    assert sorted(found.names) == sorted(CONDITIONS)
    for name, beta in zip(found.names, found.values, strict=True):
        theirs = model.compute_contrast(name, output_type="effect_size").get_fdata()
        np.testing.assert_allclose(beta, theirs.reshape(-1), rtol=1e-6, atol=1e-6)
    n_columns = model.design_matrices_[0].shape[1]
    assert found.df == N_TIMES - n_columns
    assert found.residuals.shape == (N_TIMES, 12)


def test_planted_betas_are_found_again():
    recording, betas = planted(noise=0.5)
    found = fitted(recording)
    order = [CONDITIONS.index(name) for name in found.names]
    assert np.corrcoef(found.values.ravel(), betas[order].ravel())[0, 1] > 0.99
    np.testing.assert_allclose(found.values.mean(), betas.mean(), atol=1.5)


def test_residuals_are_white_after_the_autocorrelation_model():
    recording, _ = planted(noise=3.0)

    def autocorrelation(noise_model):
        left = fitted(recording, noise_model=noise_model).residuals
        return np.mean([np.corrcoef(x[1:], x[:-1])[0, 1] for x in left.T])

    assert autocorrelation("ols") > 0.15
    assert abs(autocorrelation("ar1")) < 0.07


def test_names_of_any_kind_keep_their_betas():
    onsets, labels = shuffled_trials(8, 7.0, np.random.default_rng(0))
    recording, _ = planted()
    odd = dict(zip(CONDITIONS, ["0|a b", "drift_1", "1 - x", "é"], strict=True))
    renamed = trace_recording(
        recording.signals.values, 1 / TR, event_table(onsets, [odd[x] for x in labels]),
        modality="fmri",
    )  # fmt: skip
    plain, strange = fitted(recording), fitted(renamed)
    assert [odd[name] for name in plain.names] == strange.names
    np.testing.assert_allclose(plain.values, strange.values)


def test_units_that_miss_a_frame_or_never_change_are_unknown():
    recording, _ = planted()
    values = recording.signals.values.copy()
    values[7, 2] = np.nan
    values[:, 5] = 3.0
    gaps = trace_recording(values, 1 / TR, recording.events, modality="fmri")
    found = fitted(gaps)
    unknown = np.isnan(found.values).all(axis=0)
    np.testing.assert_array_equal(np.flatnonzero(unknown), [2, 5])
    whole = fitted(recording).values
    np.testing.assert_allclose(found.values[:, ~unknown], whole[:, ~unknown])


def test_scrubbed_frames_are_left_out_of_the_fit():
    from nilearn.glm.first_level import make_first_level_design_matrix

    recording, _ = planted()
    values = recording.signals.values.astype(np.float64)
    scrubbed = np.zeros(N_TIMES, bool)
    scrubbed[[10, 11, 40, 77]] = True
    spoilt = values.copy()
    spoilt[scrubbed] = np.nan
    gaps = trace_recording(spoilt, 1 / TR, recording.events, modality="fmri")
    found = fitted(gaps, noise_model="ols")
    table = recording.events[["onset", "duration", "trial_type"]]
    design = make_first_level_design_matrix(
        np.arange(N_TIMES) * TR, table, hrf_model="glover", drift_model="cosine", high_pass=0.01
    )
    expected = np.linalg.lstsq(design.to_numpy()[~scrubbed], values[~scrubbed], rcond=None)[0]
    places = [design.columns.get_loc(name) for name in found.names]
    np.testing.assert_allclose(found.values, expected[places], rtol=1e-4, atol=1e-4)
    assert found.df == N_TIMES - 4 - design.shape[1]


def test_conditions_outside_the_run_are_unknown():
    """A stop of the scanner, or a log that went on: the others keep their betas."""
    recording, _ = planted()
    end = N_TIMES * TR
    onsets = np.append(recording.events["onset"], [end - 0.5, end + 30, end + 40])
    labels = [*recording.events["trial_type"], "late", "later", "later"]
    longer = trace_recording(
        recording.signals.values, 1 / TR, event_table(onsets, labels), modality="fmri"
    )
    found, whole = fitted(longer), fitted(recording)
    assert found.names[-2:] == ["late", "later"]
    assert np.isnan(found.values[-2:]).all()
    np.testing.assert_allclose(found.values[:-2], whole.values)
    nothing = trace_recording(
        recording.signals.values, 1 / TR, event_table([end + 5, end + 9], ["a", "b"]),
        modality="fmri",
    )  # fmt: skip
    assert np.isnan(fitted(nothing).values).all()


def test_confounds_take_their_share():
    """What is a multiple of a confound leaves the betas; a gap in it is filled with its mean."""
    motion = np.random.default_rng(3).standard_normal(N_TIMES)
    clean, _ = planted(seed=3)
    gapped, filled = motion.copy(), motion.copy()
    gapped[0], filled[0] = np.nan, motion[1:].mean()
    columns = {"trans_x": motion, "gapped": gapped, "filled": filled}
    columns["empty"] = np.full(N_TIMES, np.nan)

    def with_confounds(values):
        return trace_recording(
            values, 1 / TR, clean.events, modality="fmri", confounds=columns
        )  # fmt: skip

    still = with_confounds(clean.signals.values)
    moved = with_confounds(clean.signals.values + 8 * motion[:, None])
    one, two = (fitted(r, confounds=("trans_x",), noise_model="ols").values for r in (still, moved))
    np.testing.assert_allclose(one, two, atol=1e-4)
    assert np.abs(fitted(moved, noise_model="ols").values - one).mean() > 1
    one, two = (fitted(moved, confounds=(name,)).values for name in ("gapped", "filled"))
    np.testing.assert_allclose(one, two)
    with pytest.raises(UnfitRecordingError, match=r"no confound 'rot_x'; .*trans_x"):
        fitted(moved, confounds=("rot_x",))
    with pytest.raises(UnfitRecordingError, match=r"'empty' .* has no values"):
        fitted(moved, confounds=("empty",))
    with pytest.raises(UnfitRecordingError, match="no confound 'trans_x'; expected one of none"):
        fitted(clean, confounds=("trans_x",))


def test_designs_without_a_solution_are_refused():
    rng = np.random.default_rng(4)
    values = rng.standard_normal((60, 3))
    onsets = np.arange(4.0, 100, 12)
    twins = event_table(np.repeat(onsets, 2), ["a", "b"] * len(onsets))
    with pytest.raises(UnfitRecordingError, match="regressors of rank"):
        fitted(trace_recording(values, 1 / TR, twins, modality="fmri"))
    many = event_table(np.arange(8.0), [f"c{k}" for k in range(8)])
    with pytest.raises(UnfitRecordingError, match="regressors for 10 frames"):
        fitted(trace_recording(values[:10], 1 / TR, many, modality="fmri"))
