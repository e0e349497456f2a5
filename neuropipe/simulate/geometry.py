"""Tasks and codes of known geometry: factorised, random, balanced; teachers for students.

Axes: k binary variables, n = 2^k conditions, u units, t trials. Conditions stand in the order of
their binary numbers, the first variable counting most.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neuropipe.errors import SettingsError

Array = NDArray[np.float64]


def conditions(n_variables: int) -> NDArray[np.int64]:
    """All combinations of binary variables, shape (2^k, k), with entries -1 and 1."""
    bits = np.arange(2**n_variables)[:, None] >> np.arange(n_variables)[::-1] & 1
    return 2 * bits - 1


def xor_labels(variables: NDArray[np.int64]) -> NDArray[np.int64]:
    """Product of all variables, shape (n_conditions,): no single one tells anything of it."""
    return np.asarray(variables.prod(axis=1))


def factorised_geometry(n_variables: int, n_units: int, rng: np.random.Generator) -> Array:
    """Place the conditions on a box with one orthogonal edge a variable.

    Parameters
    ----------
    n_variables, n_units : int
        At least as many units as variables.
    rng : numpy.random.Generator

    Returns
    -------
    array of shape (2^n_variables, n_units)
        Its parallelism score is 1 for every variable, and a classifier of one variable that was
        trained on some conditions generalises to all others.

    Raises
    ------
    SettingsError
        If there are fewer units than variables.
    """
    if n_units < n_variables:
        raise SettingsError(f"{n_units} units for {n_variables} variables", "more units", "add")
    axes = np.linalg.qr(rng.standard_normal((n_units, n_variables)))[0]
    return np.asarray(conditions(n_variables) @ axes.T)


def random_geometry(n_variables: int, n_units: int, rng: np.random.Generator) -> Array:
    """Place the conditions at random in a high-dimensional space.

    Parameters
    ----------
    n_variables, n_units : int
        With many more units than conditions every dichotomy can be read linearly, and nothing that
        was learnt on some conditions holds for others.
    rng : numpy.random.Generator

    Returns
    -------
    array of shape (2^n_variables, n_units)
    """
    return np.asarray(rng.standard_normal((2**n_variables, n_units)) / np.sqrt(n_units))


def spiking_repeats(
    patterns: Array, n_repeats: int, rng: np.random.Generator, *, mean_count: float = 4.0
) -> NDArray[np.int64]:
    """Draw Poisson counts whose expectation is a shifted and scaled copy of the patterns.

    Parameters
    ----------
    patterns : array of shape (n_conditions, n_units)
    n_repeats : int
    rng : numpy.random.Generator
    mean_count : float
        Mean spike count of a trial; all units share shift and scale, so that the centred kernel of
        the expectations is that of the patterns.

    Returns
    -------
    array of shape (n_repeats, n_conditions, n_units)
    """
    expected = expected_counts(patterns, mean_count=mean_count)
    return np.asarray(rng.poisson(expected, (n_repeats, *patterns.shape)))


def expected_counts(patterns: Array, *, mean_count: float = 4.0) -> Array:
    """Expectations behind `spiking_repeats`: non-negative, of the given mean."""
    shifted = patterns - patterns.min()
    return np.asarray(shifted * (mean_count / shifted.mean()))


@dataclass(frozen=True, kw_only=True)
class FeatureCode:
    """A population that carries two binary features.

    Parameters
    ----------
    activity : array of shape (n_trials, n_units)
    features : array of shape (n_trials, 2)
        -1 and 1; independent and balanced.
    shares : array of shape (2,)
        Share of the noise-free variance that each feature carries, exact.
    """

    activity: Array
    features: NDArray[np.int64]
    shares: Array


def feature_code(
    n_trials: int,
    n_units: int,
    rng: np.random.Generator,
    *,
    shares: tuple[float, float] = (0.5, 0.5),
    noise: float = 0.0,
) -> FeatureCode:
    """Embed two binary features with given shares of the variance, both perfectly decodable.

    Parameters
    ----------
    n_trials : int
        A multiple of 4, so that all combinations are equally frequent.
    n_units : int
    rng : numpy.random.Generator
    shares : (first, second)
        Of the noise-free variance; they sum to 1.
    noise : float
        Standard deviation of the noise of every unit; the signal's is 1 on average.

    Raises
    ------
    SettingsError
        If the trials cannot be balanced or the shares do not sum to 1.
    """
    if n_trials % 4 or abs(sum(shares) - 1) > 1e-9:
        raise SettingsError(
            f"{n_trials} trials with shares {shares}", "4 n trials, shares of sum 1", "correct them"
        )
    features = np.tile(conditions(2), (n_trials // 4, 1))[rng.permutation(n_trials)]
    axes = np.linalg.qr(rng.standard_normal((n_units, 2)))[0]
    signal = features * np.sqrt(n_units * np.array(shares)) @ axes.T
    activity = signal + noise * rng.standard_normal(signal.shape)
    return FeatureCode(activity=activity, features=features, shares=np.array(shares))


def feature_task(
    n_trials: int, n_inputs: int, rng: np.random.Generator
) -> tuple[Array, NDArray[np.int64]]:
    """Inputs from which one feature is read linearly and another is an exclusive or.

    Parameters
    ----------
    n_trials : int
    n_inputs : int
        At least 4.
    rng : numpy.random.Generator

    Returns
    -------
    inputs : array of shape (n_trials, n_inputs)
        A rotated copy of independent signs.
    labels : array of shape (n_trials, 2)
        The sign of one hidden input, and the product of the signs of two others; independent.
    """
    if n_inputs < 4:
        raise SettingsError(f"{n_inputs} inputs", "at least 4", "add inputs")
    hidden = rng.choice([-1, 1], (n_trials, n_inputs))
    rotation = np.linalg.qr(rng.standard_normal((n_inputs, n_inputs)))[0]
    labels = np.stack([hidden[:, 0], hidden[:, 1] * hidden[:, 2]], axis=1)
    return hidden @ rotation.T, labels


@dataclass(frozen=True, kw_only=True)
class StudentTask:
    """A linear teacher, and where a two-layer linear student starts.

    Parameters
    ----------
    inputs : array of shape (n_trials, n_inputs)
    targets : array of shape (n_trials, n_outputs)
        Of the teacher, without noise.
    teacher : array of shape (n_outputs, n_inputs)
    first : array of shape (n_hidden, n_inputs)
        Initial weights of the first layer, of the given rank and Frobenius norm.
    second : array of shape (n_outputs, n_hidden)
        Initial weights of the second layer, dense, of the same norm.
    """

    inputs: Array
    targets: Array
    teacher: Array
    first: Array
    second: Array


def student_task(
    rng: np.random.Generator,
    *,
    n_trials: int = 200,
    n_inputs: int = 20,
    n_hidden: int = 50,
    n_outputs: int = 2,
    rank: int = 20,
    norm: float = 1.0,
    aligned: bool = False,
) -> StudentTask:
    """Draw a student-teacher problem with an initialisation of given rank.

    Parameters
    ----------
    rng : numpy.random.Generator
    n_trials, n_inputs, n_hidden, n_outputs : int
    rank : int
        Of the first layer's initial weights, at most `n_inputs` and `n_hidden`.
    norm : float
        Frobenius norm of each layer's initial weights.
    aligned : bool
        Whether a low-rank first layer starts with the teacher's input directions; otherwise it is
        blind to them as long as the rank leaves room for that.

    Raises
    ------
    SettingsError
        If the rank is impossible.
    """
    if not 1 <= rank <= min(n_inputs, n_hidden):
        raise SettingsError(f"rank {rank}", f"1 to {min(n_inputs, n_hidden)}", "correct it")
    inputs = rng.standard_normal((n_trials, n_inputs))
    teacher = rng.standard_normal((n_outputs, n_inputs)) / np.sqrt(n_inputs)
    # Input directions: those of the teacher first, then the rest of the space.
    used = np.linalg.qr(np.hstack([teacher.T, rng.standard_normal((n_inputs, n_inputs))]))[0].T
    order = used if aligned else used[::-1]
    left = np.linalg.qr(rng.standard_normal((n_hidden, rank)))[0]
    first = left @ order[:rank] * (norm / np.sqrt(rank))
    second = rng.standard_normal((n_outputs, n_hidden))
    return StudentTask(
        inputs=inputs,
        targets=inputs @ teacher.T,
        teacher=teacher,
        first=first,
        second=second * (norm / np.linalg.norm(second)),
    )
