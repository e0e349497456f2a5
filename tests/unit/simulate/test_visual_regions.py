"""Regions of several subjects: each represents what it says, as strongly as asked for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import pdist

from neuropipe.errors import SettingsError
from neuropipe.simulate import representations_checks
from neuropipe.simulate.pictures import draw_pictures, render_pictures
from neuropipe.simulate.representations_checks import (
    checks,
    correlation,
    crossvalidated_rdm,
    parallelism,
    realised_ceiling,
    subject_rdms,
)
from neuropipe.simulate.visual_regions import (
    N_LATENTS,
    REGIONS,
    noise_free_rdm,
    oriented_energy,
    shared_latents,
    simulate_subject,
)
from neuropipe.stats.checks import failures


@pytest.fixture(scope="module")
def pictures():
    return draw_pictures(6, np.random.default_rng(11))


@pytest.fixture(scope="module")
def images(pictures):
    return render_pictures(pictures)


@pytest.fixture(scope="module")
def latents(pictures, images):
    return shared_latents(pictures, images, np.random.default_rng(12))


def grating(period: float, orientation: float) -> np.ndarray:
    y, x = np.mgrid[:96, :96]
    across = x * np.cos(orientation) + y * np.sin(orientation)
    grey = 128 + 60 * np.sin(2 * np.pi * across / period)
    return np.repeat(grey[..., None], 3, axis=2).astype(np.uint8)


def test_energy_tells_period_and_orientation_and_not_phase():
    made = np.stack([grating(p, k * np.pi / 4) for p in (6, 12, 24) for k in range(4)])
    energy = oriented_energy(made).reshape(12, 12, 16).mean(axis=2)
    assert energy.argmax(axis=1).tolist() == list(range(12))
    shifted = np.roll(made, 3, axis=2)
    # Among the same images, a shift changes less than any other period or orientation.
    both = oriented_energy(np.concatenate([made, shifted]))
    gap = ((both[:12, None] - both[12:]) ** 2).sum(axis=2)
    assert gap.argmin(axis=1).tolist() == list(range(12))
    assert np.median(np.diag(gap)) < 0.1 * np.median(gap)


def test_energy_is_blind_to_hue(pictures, images):
    turned = render_pictures(replace(pictures, angle=(pictures.angle + 77) % 360))
    assert not np.array_equal(turned, images)
    assert np.abs(oriented_energy(turned) - oriented_energy(images)).max() < 0.1


def test_energy_is_standardised_and_uniform_images_have_none(images):
    energy = oriented_energy(images)
    assert energy.shape == (24, 192)
    np.testing.assert_allclose(energy.mean(axis=0), 0, atol=1e-9)
    np.testing.assert_allclose(energy.std(axis=0), 1)
    assert np.array_equal(
        oriented_energy(np.full((3, 96, 96, 3), 90, np.uint8)), np.zeros((3, 192))
    )


def test_latents_have_one_scale(latents):
    assert tuple(latents) == REGIONS
    for values in latents.values():
        assert values.shape == (24, N_LATENTS)
        np.testing.assert_allclose(values.mean(axis=0), 0, atol=1e-12)
        assert values.var(axis=0).mean() == pytest.approx(1)


def test_every_region_is_fitted_best_by_its_own_model(pictures, images, latents):
    turn = np.deg2rad(pictures.angle)
    alive, large = pictures.animate, pictures.size > 0
    kind = pdist(pictures.category[:, None].astype(float)) > 0
    two = pdist(np.stack([alive, large], axis=1).astype(float), "cityblock")
    models = {
        "early": pdist(oriented_energy(images), "sqeuclidean"),
        "category": kind + pdist(alive[:, None].astype(float)),
        "ring": pdist(np.stack([np.cos(turn), np.sin(turn)], axis=1), "sqeuclidean"),
        "mixed": two,
    }
    fit = np.array(
        [[correlation(noise_free_rdm(latents[g]), model) for model in models.values()]
         for g in REGIONS]
    )  # fmt: skip
    assert np.diag(fit).min() > 0.8
    assert (fit.argmax(axis=1) == np.arange(4)).all()
    assert (fit.argmax(axis=0) == np.arange(4)).all()


def test_mixed_codes_are_parallel_and_category_has_no_code_of_size(pictures, latents):
    large = pictures.size > 0
    assert parallelism(latents["mixed"], pictures.animate, large) > 0.9
    assert parallelism(latents["mixed"], large, pictures.animate) > 0.9
    step = [
        np.linalg.norm(latents[g][large].mean(axis=0) - latents[g][~large].mean(axis=0))
        for g in ("category", "mixed")
    ]
    assert step[0] < 0.2 * step[1]


def test_parallelism_is_the_cosine_of_differences():
    across, over = np.array([1, 0, 1, 0], bool), np.array([1, 1, 0, 0], bool)
    square = np.array([[1, 1], [0, 1], [1, 0], [0, 0]], float)
    assert parallelism(square, across, over) == pytest.approx(1)
    crossed = np.array([[1, 1], [0, 1], [0, 0], [1, 0]], float)
    assert parallelism(crossed, across, over) == pytest.approx(-1)


def test_subjects_share_distances_where_nothing_is_their_own(latents):
    a, b = (simulate_subject(latents, np.random.default_rng(s), individuality=0.0) for s in (1, 2))
    assert not np.allclose(a.signal, b.signal)
    for g, region in enumerate(REGIONS):
        for one in (a, b):
            expected = noise_free_rdm(latents[region]) * one.gain[g] ** 2
            np.testing.assert_allclose(noise_free_rdm(one.signal[g]), expected)


def test_individuality_is_the_share_of_a_subjects_own(latents):
    r = []
    for individuality in (0.1, 0.5, 1.0):
        one = simulate_subject(latents, np.random.default_rng(5), individuality=individuality)
        r.append([correlation(noise_free_rdm(one.signal[g]), noise_free_rdm(latents[region]))
                  for g, region in enumerate(REGIONS)])  # fmt: skip
    assert min(r[0]) > 0.6
    assert np.all(np.diff(np.mean(r, axis=1)) < -0.2)
    assert abs(np.mean(r[2])) < 0.2


def test_signal_has_the_variance_of_its_gain(latents):
    one = simulate_subject(latents, np.random.default_rng(3), units_per_region=50)
    assert one.signal.shape == (4, 24, 50)
    np.testing.assert_allclose(one.signal.var(axis=1).mean(axis=1), one.gain**2)
    assert len(set(one.gain)) == 4


@given(ceiling=st.floats(0.1, 0.95), n_repeats=st.integers(2, 12))
@settings(max_examples=12, deadline=None)
def test_any_ceiling_is_met(ceiling, n_repeats, latents):
    one = simulate_subject(
        latents, np.random.default_rng(3), n_repeats=n_repeats, units_per_region=400,
        ceiling=ceiling,
    )  # fmt: skip
    assert one.responses.shape == (4, n_repeats, 24, 400)
    assert realised_ceiling(one) == pytest.approx(ceiling, abs=0.03)
    expected = one.gain**2 / (one.gain**2 + one.noise_sd**2 / n_repeats)
    np.testing.assert_allclose(expected, ceiling)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [({"ceiling": 1.0}, "ceiling"), ({"individuality": -0.1}, "individuality"),
     ({"units_per_region": N_LATENTS}, "channels")],
)  # fmt: skip
def test_impossible_subjects_are_refused(wrong, message, latents):
    with pytest.raises(SettingsError, match=message):
        simulate_subject(latents, np.random.default_rng(0), **wrong)


def test_crossvalidated_distances_are_unbiased_and_naive_ones_are_not():
    rng = np.random.default_rng(0)
    true = rng.standard_normal((10, 30))
    found = [crossvalidated_rdm(true + 2 * rng.standard_normal((4, 10, 30))) for _ in range(300)]
    z = (np.mean(found, axis=0) - noise_free_rdm(true)) / (np.std(found, axis=0) / np.sqrt(300))
    assert np.abs(z).max() < 4
    naive = noise_free_rdm((true + 2 * rng.standard_normal((4, 10, 30))).mean(axis=0))
    assert naive.mean() > noise_free_rdm(true).mean() + 1


def test_crossvalidated_distances_are_those_of_all_pairs_of_repeats():
    trials = np.random.default_rng(1).standard_normal((3, 4, 5))
    expected = np.zeros((4, 4))
    for a in range(3):
        for b in set(range(3)) - {a}:
            for i in range(4):
                for j in range(4):
                    gap = (trials[a, i] - trials[a, j]) @ (trials[b, i] - trials[b, j])
                    expected[i, j] += gap / (6 * 5)
    np.testing.assert_allclose(crossvalidated_rdm(trials), expected[np.triu_indices(4, 1)])


def test_the_loop_of_hues_outlives_those_of_gaussian_clouds(latents):
    pytest.importorskip("ripser", reason="persistent homology needs ripser")
    from neuropipe.trsa.topology.homology_null import homology_test

    rng = np.random.default_rng(7)
    cohort = [subject_rdms(simulate_subject(latents, rng)) for _ in range(4)]
    mean = dict(zip(REGIONS, np.mean(cohort, axis=0), strict=True))
    found = {
        region: homology_test(np.maximum(mean[region], 0), rng, squared=True, n_draws=39)
        for region in ("early", "category", "ring")
    }
    ring = found["ring"]
    assert ring.p_largest == pytest.approx(1 / 40)
    assert ring.largest > 2 * np.quantile(ring.null_largest, 0.95)
    assert min(found["early"].p_largest, found["category"].p_largest) > 0.1


def test_every_claim_holds():
    rows = checks()
    assert failures(rows) == []
    assert len({row.name for row in rows}) == len(rows) == 11


@pytest.mark.parametrize(
    ("broken", "row"),
    [
        ("early", "early: RDM and oriented energy of the images, r"),
        ("category", "category: distances within / between categories"),
        ("ring", "ring: RDM and circular distance of hues, r"),
        ("mixed", "mixed: parallelism of animacy over sizes, truth"),
    ],
)
def test_a_region_that_represents_nothing_is_found_out(broken, row, monkeypatch):
    def without(pictures, images, rng):
        sound = shared_latents(pictures, images, rng)
        return sound | {broken: rng.permuted(sound[broken], axis=0)}

    monkeypatch.setattr(representations_checks, "shared_latents", without)
    monkeypatch.setattr(representations_checks, "_SEEDS", range(2))
    assert row in {bad.name for bad in failures(checks())}


def test_noisier_trials_are_found_out(monkeypatch):
    monkeypatch.setattr(
        representations_checks, "simulate_subject",
        lambda latents, rng, **options: simulate_subject(latents, rng, ceiling=0.5),
    )  # fmt: skip
    bad = {row.name for row in failures(checks())}
    assert "representations: noise ceiling from repeats" in bad
    assert "representations: RDM of trials and the truth, r" in bad
