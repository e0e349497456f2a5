"""From series to segments: resampling, missing samples, the end of a run."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.interpolate import interp1d

from neuropipe.brainmae.segments import (
    Segments,
    native_points,
    native_segments,
    resample,
    segment_crops,
)
from tests.unit.brainmae.builders import random_segments

#: Repetition times of scanners, in s.
STEPS = st.sampled_from([0.3, 0.72, 0.8, 1.0, 1.5, 1.6, 2.0, 2.5, 3.0])


def tensor(*values):
    return torch.tensor(values, dtype=torch.float32)


def noise(n_samples, n_rois=3, seed=0):
    x = np.random.default_rng(seed).standard_normal((n_samples, n_rois))
    return x.astype(np.float32)


def crop(values, step, n_segments=3, n_points=16, duration=15.0, length=None, **other):
    """Segments of one run that lies in memory as (n_samples, n_rois)."""
    x = torch.as_tensor(np.asarray(values, dtype=np.float32))[None]
    seconds = x.shape[1] * step if length is None else length
    return segment_crops(
        x, tensor(step), tensor(seconds), n_segments=n_segments, n_points=n_points,
        duration=duration, **other,
    )  # fmt: skip


def line(found):
    """Points of one run's segments one after another, (n_points_of_all, n_rois)."""
    _, k, n, n_points = found.x.shape
    return found.x[0].permute(0, 2, 1).reshape(k * n_points, n).numpy()


def middle(n, spacing):
    """Times of points, from the start of the crop."""
    return (np.arange(n) + 0.5) * spacing


def wave(frequency, step, seconds):
    """A sine by the middle of its samples."""
    return np.sin(2 * np.pi * frequency * middle(round(seconds / step), step))[:, None]


# resample


@given(step=STEPS, n_samples=st.integers(2, 60), seed=st.integers(0, 99))
@settings(max_examples=60)
def test_at_its_own_step_the_filter_interpolates_linearly(step, n_samples, seed):
    x = noise(n_samples, seed=seed).astype(np.float64)
    times = np.random.default_rng(seed).uniform(0, (n_samples - 1) * step, 25)
    times = np.concatenate([times, np.arange(n_samples) * step])
    own = torch.tensor([step], dtype=torch.float64)
    found, measured = resample(torch.from_numpy(x)[None], own, torch.from_numpy(times)[None], own)
    expected = interp1d(np.arange(n_samples) * step, x, axis=0, fill_value="extrapolate")(times)
    assert np.allclose(found[0].numpy(), expected, atol=1e-6)
    assert np.allclose(measured.numpy(), 1)


@given(step=STEPS, ratio=st.floats(1, 6), value=st.floats(-50, 50), n_samples=st.integers(2, 40))
@settings(max_examples=60)
def test_a_constant_stays_one_everywhere_at_any_width(step, ratio, value, n_samples):
    x = torch.full((1, n_samples, 2), value)
    times = torch.linspace(-step / 2, (n_samples - 0.5) * step, 33)[None]
    found, measured = resample(x, tensor(step), times, tensor(step * ratio))
    assert torch.allclose(found, torch.full_like(found, value), atol=1e-5 * (1 + abs(value)))
    assert measured.min() > 0.3
    assert measured.max() < 1 + 1e-6


def test_weights_are_those_of_a_triangle():
    x = np.zeros((1, 21, 1), dtype=np.float32)
    x[0, 10] = 1
    times = torch.linspace(3, 17, 50)[None]
    found, _ = resample(torch.from_numpy(x), tensor(1.0), times, tensor(4.0))
    assert np.allclose(found[0, :, 0], np.maximum(1 - np.abs(times[0] - 10) / 4, 0) / 4, atol=1e-6)


def test_measured_tells_the_share_of_the_weight_on_known_samples():
    x = noise(9)
    x[4, 1] = np.nan
    times = tensor(3.0, 3.25, 3.75, 4.0, 20.0)[None]
    found, measured = resample(torch.from_numpy(x)[None], tensor(1.0), times, tensor(1.0))
    assert np.allclose(measured[0, :, 1], [1, 0.75, 0.25, 0, 0], atol=1e-6)
    assert np.allclose(measured[0, :, 0], [1, 1, 1, 1, 0], atol=1e-6)
    # What is left of the weight is brought up to one; nothing at all gives zero.
    assert np.allclose(found[0, :3, 1], x[3, 1], atol=1e-5)
    assert (found[0, 3:, 1] == 0).all()


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
def test_series_of_any_precision(dtype):
    x = torch.from_numpy(noise(20))[None].to(dtype)
    times = tensor(2.2, 7.9)[None]
    found, _ = resample(x, tensor(1.0), times, tensor(1.5))
    expected, _ = resample(x.float(), tensor(1.0), times, tensor(1.5))
    assert found.dtype == torch.float32
    assert torch.allclose(found, expected, atol=1e-6)


# Spectrum


@given(step=STEPS, n_points=st.integers(6, 30), duration=st.sampled_from([5.0, 15.0, 30.0]))
@settings(max_examples=60)
def test_slow_waves_are_kept(step, n_points, duration):
    spacing = duration / n_points
    frequency = 0.05 * min(1 / step, 1 / spacing)
    found = crop(
        wave(frequency, step, 4 * duration + step), step, n_points=n_points, duration=duration
    )
    expected = np.sin(2 * np.pi * frequency * middle(3 * n_points, spacing))
    # The first points of slowly sampled runs lie before the middle of the first sample.
    inner = slice(int(np.ceil(max(step, spacing) / spacing)), None)
    assert np.abs(line(found)[inner, 0] - expected[inner]).max() < 0.05


@given(step=st.floats(0.05, 0.2), above=st.floats(0.75, 1.6), phase=st.floats(0, 1))
@settings(max_examples=60)
def test_waves_above_the_new_nyquist_frequency_are_attenuated(step, above, phase):
    spacing = 15 / 16
    times = middle(round(60 / step), step)
    fast = np.sin(2 * np.pi * (above / spacing * times + phase))[:, None]
    spread = line(crop(fast, step)).std()
    # Picking points, as plain interpolation does, would fold the whole wave over.
    picked = np.interp(middle(48, spacing), times, fast[:, 0]).std()
    gain = np.sinc(above) ** 2  # of a triangle
    assert spread < gain * np.sqrt(0.5) + 0.03
    assert spread < 0.25 * picked or abs(above - 1) < 0.05


# Segments of a run


@given(
    steps=st.lists(STEPS, min_size=2, max_size=4),
    n_samples=st.lists(st.integers(20, 150), min_size=4, max_size=4),
    gaps=st.booleans(),
)
@settings(max_examples=40)
def test_runs_of_several_repetition_times_are_the_same_together_as_alone(steps, n_samples, gaps):
    runs = [noise(n, seed=k) for k, n in enumerate(n_samples[: len(steps)])]
    if gaps:
        runs[0][5:9, 1] = np.nan
    together = np.full((len(runs), max(map(len, runs)), 3), np.nan, dtype=np.float32)
    for row, run in enumerate(runs):
        together[row, : len(run)] = run
    seconds = [len(run) * step for run, step in zip(runs, steps, strict=True)]
    found = segment_crops(
        torch.from_numpy(together), tensor(*steps), tensor(*seconds), n_segments=3, n_points=16,
        duration=15.0,
    )  # fmt: skip
    for row, (run, step) in enumerate(zip(runs, steps, strict=True)):
        alone = crop(run, step)
        assert torch.allclose(found.x[row], alone.x[0], atol=1e-5)
        assert torch.equal(found.present[row], alone.present[0])
        assert torch.equal(found.valid[row], alone.valid[0])


@given(step=STEPS, n_samples=st.integers(6, 120), n_segments=st.integers(1, 5))
@settings(max_examples=80)
def test_segments_are_valid_up_to_the_end_of_the_run(step, n_samples, n_segments):
    found = crop(noise(n_samples), step, n_segments=n_segments)
    whole = int(n_samples * step / 15 + 1e-6)
    assert found.valid[0].tolist() == [k < whole for k in range(n_segments)]
    assert torch.equal(found.present[0].all(-1), found.valid[0])
    assert (found.x[~found.present] == 0).all()
    assert torch.isfinite(found.x).all()
    assert found.start[0].tolist() == [15.0 * k for k in range(n_segments)]


def test_the_end_of_the_run_counts_not_that_of_the_crop():
    found = crop(noise(100), 1.0, n_segments=4, length=30.5)
    assert found.valid[0].tolist() == [True, True, False, False]
    assert not found.present[0, 2:].any()
    assert (found.x[0, 2:] == 0).all()


@pytest.mark.parametrize("step", [0.72, 1.6])
def test_missing_samples_make_a_roi_absent_from_their_segment_alone(step):
    x = noise(round(75 / step))
    x[round(20 / step) : round(26 / step), 1] = np.nan
    x[:, 2] = np.nan
    found = crop(x, step, n_segments=4)
    expected = np.ones((4, 3), dtype=bool)
    expected[1, 1] = False
    expected[:, 2] = False
    assert np.array_equal(found.present[0].numpy(), expected)
    assert (found.x[0, 1, 1] == 0).all()
    assert (found.x[0, :, 2] == 0).all()


def test_a_short_gap_is_bridged_where_samples_are_dense_and_not_where_they_are_not():
    for step, bridged in ((0.3, True), (2.0, False)):
        x = noise(round(60 / step))
        x[round(22 / step), 1] = np.nan
        assert crop(x, step).present[0, :, 1].tolist() == [True, bridged, True]


def test_points_of_a_series_at_their_own_spacing_are_its_samples():
    x = noise(50)
    found = crop(x, 15 / 16)
    assert np.allclose(line(found), x[:48], atol=1e-5)


def test_runs_shorter_than_a_segment_and_no_segments_at_all():
    short = crop(noise(6), 2.0, n_segments=2)
    assert not short.valid.any()
    assert (short.x == 0).all()
    none = crop(noise(6), 2.0, n_segments=0)
    assert none.x.shape == (1, 0, 3, 16)


# Longer repetition times


@given(step=st.sampled_from([0.5, 0.72, 1.0]), slower=st.floats(0.4, 2.5))
@settings(max_examples=40)
def test_augmentation_keeps_slow_signals_and_the_shape(step, slower):
    x = np.concatenate([wave(0.02, step, 100), wave(0.04, step, 100)], axis=1)
    plain = crop(x, step, n_segments=5)
    found = crop(x, step, n_segments=5, slower=tensor(slower))
    assert torch.equal(found.valid, plain.valid)
    assert found.present.all()
    assert found.x.shape == plain.x.shape
    # Half a repetition time at the ends lies outside of the samples' middles.
    assert np.abs(line(found) - line(plain))[2:-2].max() < 0.08
    if slower <= step:
        assert torch.allclose(found.x, plain.x, atol=1e-4)


def test_augmentation_takes_off_what_the_longer_repetition_time_cannot_hold():
    x = wave(0.45, 0.5, 80)
    plain, found = crop(x, 0.5), crop(x, 0.5, slower=tensor(2.0))
    assert line(plain).std() > 0.3
    assert line(found).std() < 0.1


def test_augmentation_knows_gaps_and_the_end_of_the_run():
    x = noise(80)
    x[20:26, 1] = np.nan
    found = crop(x, 1.0, n_segments=5, length=61.0, slower=tensor(1.7))
    assert found.valid[0].tolist() == [True] * 4 + [False]
    assert found.present[0, :, 1].tolist() == [True, False, True, True, False]
    assert found.present[0, :4, 0].all()


# No resampling


@given(
    step=st.sampled_from([0.72, 0.8, 1.0, 1.2, 1.3043478, 1.6, 2.0]),
    n_samples=st.integers(10, 120),
    n_segments=st.integers(1, 6),
    duration=st.sampled_from([5.0, 15.0]),
)
@settings(max_examples=80)
def test_native_segments_are_slices_end_to_end(step, n_samples, n_segments, duration):
    x = noise(n_samples)
    found = native_segments(
        torch.from_numpy(x)[None], tensor(step), tensor(n_samples * step), n_segments=n_segments,
        duration=duration,
    )  # fmt: skip
    size = native_points(duration, step)
    whole = min(n_samples // size, n_segments)
    assert found.x.shape == (1, n_segments, 3, size)
    assert found.valid[0].tolist() == [k < whole for k in range(n_segments)]
    for k in range(whole):
        assert np.array_equal(found.x[0, k], x[k * size : (k + 1) * size].T)
    assert (found.x[0, whole:] == 0).all()
    assert np.allclose(found.start[0], np.arange(n_segments) * size * step, rtol=1e-5)


def test_native_segments_with_a_gap():
    x = noise(40)
    x[16, 2] = np.nan
    found = native_segments(
        torch.from_numpy(x)[None], tensor(1.0), tensor(40.0), n_segments=2, duration=15.0
    )
    assert found.present[0].tolist() == [[True, True, True], [True, True, False]]
    assert (found.x[0, 1, 2] == 0).all()


@pytest.mark.parametrize(("step", "n"), [(0.72, 21), (0.8, 19), (1.0, 15), (1.6, 9), (10.0, 2)])
def test_native_points_are_those_of_the_spec(step, n):
    assert native_points(15.0, step) == n
    assert native_points(15.0, float(np.float32(step))) == n


# The container


def test_segments_are_picked_and_moved():
    whole = random_segments(3, 5)
    part = whole.pick(slice(1, 3), slice(2, None))
    assert part.x.shape == (2, 3, 8, 8)
    assert torch.equal(part.x, whole.x[1:3, 2:])
    assert torch.equal(part.start[0], torch.tensor([30.0, 45.0, 60.0]))
    assert part.valid.shape == (2, 3)
    assert part.present.shape == (2, 3, 8)
    moved = whole.to(torch.device("meta"))
    assert isinstance(moved, Segments)
    assert {t.device.type for t in (moved.x, moved.valid, moved.present, moved.start)} == {"meta"}
