"""What the generator of several subjects' representations claims, measured on its trials."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import pdist

from neuropipe.simulate.pictures import draw_pictures, render_pictures
from neuropipe.simulate.stimuli_oracle import identify_regions
from neuropipe.simulate.visual_regions import (
    REGIONS,
    SubjectResponses,
    noise_free_rdm,
    oriented_energy,
    shared_latents,
    simulate_subject,
)
from neuropipe.stats.checks import Check, at_least, at_most, near

Array = NDArray[np.float64]

_SEEDS = range(5)
_N_SUBJECTS = 4
_CEILING = 0.85


def checks() -> list[Check]:
    """Measure the claims on five cohorts of default size; about 1 s on one core."""
    found = [measure(seed) for seed in _SEEDS]
    worst = {name: min(cohort[name] for cohort in found) for name in found[0]}
    most = {name: max(cohort[name] for cohort in found) for name in found[0]}
    ceiling = np.mean([cohort["ceiling"] for cohort in found])
    how = "24 images, 6 repeats, 20 units a region; worst of 5 cohorts"
    each = f"{how}, 4 subjects, 4 regions"
    mean = f"{how}; mean RDM of 4 subjects"
    return [
        near("representations: noise ceiling from repeats", ceiling, _CEILING, 0.03),
        at_least("representations: RDM of trials and the truth, r", worst["own"], 0.8, each),
        at_least("representations: regions told across subjects", worst["told"], 0.95, how),
        at_least("early: RDM and oriented energy of the images, r", worst["energy"], 0.8, mean),
        at_most("other regions: the same, largest r", most["other energy"], 0.3, mean),
        at_most(
            "category: distances within / between categories", most["within"], 0.25, mean
        ),
        at_least(
            "category: distances across / within animacy, between categories", worst["levels"],
            1.5, mean,
        ),
        at_least("ring: RDM and circular distance of hues, r", worst["ring"], 0.8, mean),
        at_least("mixed: parallelism of animacy over sizes, truth", worst["animacy"], 0.9, how),
        at_least("mixed: parallelism of size over animacy, truth", worst["size"], 0.9, how),
        at_most(
            "category: parallelism of size over animacy, truth", most["category size"], 0.9, how
        ),
    ]  # fmt: skip


def measure(seed: int) -> dict[str, float]:
    """Measure one cohort of default size.

    Parameters
    ----------
    seed : int

    Returns
    -------
    dict of str to float
        By short names of the claims.
    """
    rng = np.random.default_rng(seed)
    pictures = draw_pictures(6, rng)
    images = render_pictures(pictures)
    latents = shared_latents(pictures, images, rng)
    cohort = [simulate_subject(latents, rng, ceiling=_CEILING) for _ in range(_N_SUBJECTS)]
    rdms = np.array([subject_rdms(subject) for subject in cohort])  # (s, g, e)
    true = np.array([[noise_free_rdm(region) for region in one.signal] for one in cohort])
    n_pairs = rdms.shape[-1]
    by_region = dict(zip(REGIONS, rdms.mean(axis=0), strict=True))
    energy = pdist(oriented_energy(images), "sqeuclidean")
    to_energy = {region: correlation(rdm, energy) for region, rdm in by_region.items()}
    kind, alive = _differ(pictures.category), _differ(pictures.animate)
    clusters = by_region["category"]
    turn = np.deg2rad(pictures.angle)
    circle = pdist(np.stack([np.cos(turn), np.sin(turn)], axis=1), "sqeuclidean")
    return {
        "ceiling": float(np.mean([realised_ceiling(subject) for subject in cohort])),
        "own": min(map(correlation, rdms.reshape(-1, n_pairs), true.reshape(-1, n_pairs))),
        "told": identify_regions(rdms),
        "energy": to_energy.pop("early"),
        "other energy": max(to_energy.values()),
        "within": float(clusters[~kind].mean() / clusters[kind].mean()),
        "levels": float(clusters[alive].mean() / clusters[kind & ~alive].mean()),
        "ring": correlation(by_region["ring"], circle),
        "animacy": parallelism(latents["mixed"], pictures.animate, pictures.size > 0),
        "size": parallelism(latents["mixed"], pictures.size > 0, pictures.animate),
        "category size": parallelism(latents["category"], pictures.size > 0, pictures.animate),
    }  # fmt: skip


def subject_rdms(subject: SubjectResponses) -> Array:
    """Crossvalidated squared distances of every region at gain 1, shape (n_regions, n_pairs)."""
    rdms = np.array([crossvalidated_rdm(region) for region in subject.responses])
    return np.asarray(rdms / subject.gain[:, None] ** 2)


def crossvalidated_rdm(trials: NDArray[np.floating]) -> Array:
    """Squared distances from products of different repeats, which noise does not raise.

    Parameters
    ----------
    trials : array of shape (n_repeats, n_images, n_units)

    Returns
    -------
    array of shape (n_pairs,)
        Mean over all pairs of repeats, divided by the number of units; unbiased, so below 0 at
        times.
    """
    n_repeats, n_images, n_units = trials.shape
    values = np.asarray(trials, dtype=float)
    total = values.sum(axis=0)
    same = np.einsum("riu,rju->ij", values, values)
    kernel = (total @ total.T - same) / (n_repeats * (n_repeats - 1) * n_units)
    first, second = np.triu_indices(n_images, 1)
    return np.asarray(kernel[first, first] + kernel[second, second] - 2 * kernel[first, second])


def realised_ceiling(subject: SubjectResponses) -> float:
    """Share of signal in the variance of means over repeats, pooled over units, mean of regions."""
    trials = subject.responses.astype(float)  # (g, r, i, u)
    means = trials.mean(axis=1).var(axis=1, ddof=1).mean(axis=1)
    noise = trials.var(axis=1, ddof=1).mean(axis=(1, 2)) / trials.shape[1]
    return float((1 - noise / means).mean())


def parallelism(patterns: Array, across: NDArray[np.bool_], over: NDArray[np.bool_]) -> float:
    """Cosine of the differences that one binary variable makes at both values of another.

    Parameters
    ----------
    patterns : array of shape (n_images, n_dimensions)
        Noise-free.
    across, over : array of bool of shape (n_images,)
        The variable whose code is asked for, and the other one.

    Notes
    -----
    Parallelism score of Bernardi et al. 2020, for four cells.
    """
    a, b = (
        patterns[across & cell].mean(axis=0) - patterns[~across & cell].mean(axis=0)
        for cell in (over, ~over)
    )
    return float(a @ b / np.sqrt((a @ a) * (b @ b)))


def correlation(first: Array, second: Array) -> float:
    """Pearson's r of two vectors."""
    return float(np.corrcoef(first, second)[0, 1])


def _differ(labels: NDArray[np.generic]) -> NDArray[np.bool_]:
    return np.asarray(pdist(labels[:, None].astype(float)) > 0)
