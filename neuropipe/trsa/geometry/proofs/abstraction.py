"""Alignment and abstraction on codes of known geometry, and in networks that learn them."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
import pandas as pd

from neuropipe.simulate.geometry import (
    conditions,
    expected_counts,
    factorised_geometry,
    random_geometry,
    spiking_repeats,
    xor_labels,
)
from neuropipe.stats.checks import Check, at_least, at_most, near
from neuropipe.trsa.geometry.dichotomies import matched_pairs
from neuropipe.trsa.geometry.estimates import kernel_of
from neuropipe.trsa.geometry.generalisation import cross_condition_generalisation
from neuropipe.trsa.geometry.kernels import kernel_alignment, linear_kernel
from neuropipe.trsa.geometry.parallelism import parallelism_null, parallelism_score
from neuropipe.trsa.geometry.proofs.networks import Activation, train_networks
from neuropipe.trsa.geometry.shattering import shattering_dimensionality

__all__ = ["binary_task", "checks", "trained_alignments"]

Task = Literal["linear", "mixed XOR", "XOR", "parity"]
_TASKS: tuple[Task, ...] = get_args(Task)

_N_VARIABLES = 3
_N_UNITS = 200
_MIXING = 0.3  # amplitude of products of variables in the input, beside 1 of each variable


def checks(*, full: bool = False) -> list[Check]:
    """Measure the claims of one paper after the other; seconds on one core.

    Parameters
    ----------
    full : bool
        Twice as many seeds.

    Returns
    -------
    list of Check
    """
    n_seeds = 10 if full else 5
    return [
        *_networks(n_seeds),
        *_factorised(n_seeds),
        *_random(8 * n_seeds),
        *_spikes(2 * n_seeds),
    ]


def binary_task(task: Task, n_seeds: int) -> tuple[np.ndarray, np.ndarray]:
    """All combinations of three binary variables, and what is to be told of them.

    Parameters
    ----------
    task : {"linear", "mixed XOR", "XOR", "parity"}
        Two of three variables; the product of two, with products of the variables in the input;
        that product without; the product of all three.
    n_seeds : int

    Returns
    -------
    inputs : array of shape (n_seeds, 8, 20)
        Turned into 20 dimensions, each seed its own way.
    labels : array of shape (8, n_labels)
        -1 or 1.
    """
    variables = conditions(_N_VARIABLES)
    xor = xor_labels(variables[:, :2])[:, None]
    labels = {
        "linear": variables[:, :2],
        "mixed XOR": xor,
        "XOR": xor,
        "parity": xor_labels(variables)[:, None],
    }[task]
    products = [variables[:, [0, 1]], variables[:, [0, 2]], variables[:, [1, 2]], variables]
    latents = variables.astype(float)
    if task == "mixed XOR":
        mixed = [_MIXING * xor_labels(p)[:, None] for p in products]
        latents = np.hstack([latents, *mixed])
    inputs = []
    for seed in range(n_seeds):
        draws = np.random.default_rng(seed).standard_normal((20, latents.shape[1]))
        inputs.append(latents @ np.linalg.qr(draws)[0].T)
    return np.array(inputs), labels


def trained_alignments(activation: Activation, task: Task, n_seeds: int) -> np.ndarray:
    """Alignment of trained hidden layers with their input and with their target.

    Parameters
    ----------
    activation : {"tanh", "relu"}
    task : {"linear", "mixed XOR", "XOR", "parity"}
        See `binary_task`.
    n_seeds : int

    Returns
    -------
    array of shape (n_seeds, 2)
        (a_in, a_out) of every network.
    """
    inputs, labels = binary_task(task, n_seeds)
    nets = train_networks(inputs, labels, range(n_seeds), activation=activation, n_steps=600)
    hidden = linear_kernel(nets.hidden(inputs))
    target = linear_kernel(labels)
    return np.array(
        [
            (kernel_alignment(k, linear_kernel(x)), kernel_alignment(k, target))
            for k, x in zip(hidden, inputs, strict=True)
        ]
    )


def _networks(n_seeds: int) -> list[Check]:
    rows = []
    for task in _TASKS:
        tanh, relu = (trained_alignments(a, task, n_seeds) for a in ("tanh", "relu"))
        detail = f"3 binary variables, 100 hidden units, {n_seeds} seeds: " + ", ".join(
            f"{name} a_in {p[:, 0].mean():.3f} a_out {p[:, 1].mean():.3f}"
            for name, p in (("tanh", tanh), ("ReLU", relu))
        )
        ahead = tanh[:, 1] - relu[:, 1]
        if task in ("linear", "mixed XOR"):
            gap = (tanh[:, 1] - tanh[:, 0]).min()
            rows.append(_above(f"networks, {task}: tanh a_out - a_in, least of seeds", gap, detail))
        if task == "XOR":
            # A hidden layer of odd functions of weighted sums is short of even ones: on a plain
            # box of inputs the paper's direction cannot appear, neither here nor for parity in
            # a_out - a_in. What the theory of odd functions says instead is asserted.
            name = "networks, XOR of a plain box: a_out ReLU - tanh (odd units), least of seeds"
            rows.append(_above(name, -ahead.max(), detail))
        else:
            name = f"networks, {task}: a_out tanh - ReLU, least of seeds"
            rows.append(_above(name, ahead.min(), detail))
    return rows


def _factorised(n_seeds: int) -> list[Check]:
    table, signs = _design()
    scores, general = [], []
    for seed in range(n_seeds):
        patterns = factorised_geometry(_N_VARIABLES, _N_UNITS, np.random.default_rng(seed))
        kernel = linear_kernel(patterns)
        scores += [parallelism_score(kernel, row) for row in signs]
        scores += [
            parallelism_score(kernel, row, pairs=matched_pairs(table, name))
            for name, row in zip(table.columns, signs, strict=True)
        ]
        general += list(cross_condition_generalisation(patterns, signs).accuracies)
    detail = f"3 variables, {n_seeds} seeds, least of all variables"
    return [
        near("factorised: parallelism score", min(scores), 1.0, 1e-9, detail),
        near("factorised: CCGP", min(general), 1.0, 1e-9, detail),
    ]


def _random(n_seeds: int) -> list[Check]:
    table, signs = _design()
    matched, searched, p_values, general, shattered = [], [], [], [], []
    for seed in range(n_seeds):
        rng = np.random.default_rng(seed)
        patterns = random_geometry(_N_VARIABLES, _N_UNITS, rng)
        kernel = linear_kernel(patterns)
        for name, row in zip(table.columns, signs, strict=True):
            matched.append(parallelism_score(kernel, row, pairs=matched_pairs(table, name)))
            searched.append(parallelism_score(kernel, row))
            null = parallelism_null(kernel, row, n_draws=20, seed=seed)
            p_values.append((null >= searched[-1]).mean())
        # Of the variables alone: over all balanced dichotomies the mean is .5 whatever the
        # geometry, because the labels of the training conditions come with both signs.
        general.append(cross_condition_generalisation(patterns, signs).accuracies.mean())
        counts = spiking_repeats(patterns, 10, rng)
        shattered.append(shattering_dimensionality(counts).dimensionality)
    planted = factorised_geometry(_N_VARIABLES, _N_UNITS, np.random.default_rng(0))
    flat = shattering_dimensionality(spiking_repeats(planted, 10, np.random.default_rng(1)))
    detail = f"8 conditions, 200 units, {n_seeds} seeds"
    best = f"{detail}; the best pairing scores {np.mean(searched):.3f} on average"
    return [
        near("random: parallelism score of matched pairs", np.mean(matched), 0.0, 0.05, best),
        near(
            "random: share of rotated geometries at least as parallel",
            np.mean(p_values),
            0.5,
            0.1,
            best,
        ),
        near("random: CCGP of the variables", np.mean(general), 0.5, 0.05, detail),
        at_least(
            "random: shattering dimensionality",
            np.mean(shattered),
            0.95,
            f"{detail}, 10 repeats of Poisson counts; factorised: {flat.dimensionality:.3f}",
        ),
        at_most(
            "factorised: shattering dimensionality",
            flat.dimensionality,
            0.8,
            "the same noise: most dichotomies of a box are no plane",
        ),
    ]


def spike_alignments(seed: int) -> tuple[float, float, float]:
    """Alignment with a label from expected counts, from corrected kernels, from plain ones."""
    rng = np.random.default_rng(seed)
    patterns = factorised_geometry(_N_VARIABLES, 8000, rng)
    counts = spiking_repeats(patterns, 8, rng, mean_count=0.5)
    target = linear_kernel(conditions(_N_VARIABLES)[:, 0])
    truth = kernel_alignment(linear_kernel(expected_counts(patterns, mean_count=0.5)), target)
    estimate = kernel_of(counts, n_splits=20, seed=seed)
    reference = kernel_of(conditions(_N_VARIABLES)[:, [0, 0]])
    corrected = float(estimate.align(reference, unbiased=False))
    plain = kernel_alignment(linear_kernel(counts.mean(axis=0)), target)
    return truth, corrected, plain


def _spikes(n_seeds: int) -> list[Check]:
    found = np.array([spike_alignments(seed) for seed in range(n_seeds)])
    errors = np.abs(found[:, 1:] - found[:, :1])
    detail = (
        f"Poisson counts of mean .5, 8000 units, 8 repeats, {n_seeds} seeds: "
        f"noiseless {found[:, 0].mean():.3f}, corrected {found[:, 1].mean():.3f}, "
        f"plain {found[:, 2].mean():.3f}"
    )
    return [
        at_most(
            "spikes: error of split-half-corrected alignment", errors[:, 0].max(), 0.05, detail
        ),
        at_least("spikes: error of plain alignment", errors[:, 1].min(), 0.05, detail),
    ]


def _design() -> tuple[pd.DataFrame, np.ndarray]:
    variables = conditions(_N_VARIABLES)
    return pd.DataFrame(variables, columns=["a", "b", "c"]), variables.T


def _above(name: str, value: float, detail: str) -> Check:
    return Check(name, float(value), "> 0", bool(value > 0), detail)
