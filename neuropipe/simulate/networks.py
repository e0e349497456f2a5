"""Spiking circuits with calibrated rates: a coupled point process, and integrate-and-fire units.

In the point-process version (Truccolo et al. 2005, eq. 1-3) the synaptic drive is added to the log
intensity; in the integrate-and-fire version it is an input current.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from neuropipe.errors import SettingsError
from neuropipe.simulate.circuits import Circuit, Floats
from neuropipe.simulate.engine import IntegrateAndFire, PointProcess, Simulated, run

#: Input of integrate-and-fire units, in distances from rest to threshold, per unit of log rate:
#: of a synapse, and of an outside drive. Both move a rate about as much as in the point process.
SYNAPSE_TO_INPUT, DRIVE_TO_INPUT = 0.25, 0.15
_MAX_RADIUS = 0.45  # excitatory spikes caused by a spike; at 0.63 such circuits ran away
_CELL = 0.02  # width of the cells of the membrane potential; the steps have an sd of 0.08
Array = NDArray[np.float64]


def simulate_point_process(
    circuit: Circuit,
    drive: Floats,
    target_rates: Floats,
    rng: np.random.Generator,
    *,
    drive_step: float = 0.01,
    duration: float | None = None,
    refractory: float = 0.002,
    dt: float = 1e-3,
    intensity_step: float = 0.05,
) -> Simulated:
    """Simulate a coupled point-process GLM.

    Parameters
    ----------
    circuit : Circuit
    drive : array of shape (n_samples, n_units)
        External part of the log rate; held constant within a sample.
    target_rates : array of shape (n_units,)
        Mean rates in Hz. The baseline that leads to them is known in closed form.
    rng : numpy.random.Generator
    drive_step : float
        Width of a sample of `drive` in s, a multiple of `dt`.
    duration : float, optional
        In s; by default the length of `drive`.
    refractory : float
        Absolute refractory period in s, a multiple of `dt`.
    dt : float
        Time step in s; a unit fires at most once a step.
    intensity_step : float
        Bin width of the returned intensity in s, a multiple of `dt`.

    Returns
    -------
    Simulated

    Raises
    ------
    SettingsError
        If a target rate cannot be reached within the refractory period, or the circuit's excitation
        sustains itself.

    Notes
    -----
    ``log rate_i(t) = b_i + x_i(t) + sum_j W_ij sum_k exp(-(t - t_jk - d_ij) / tau)``. For
    independent Poisson sources of rate r_j Campbell's theorem gives the mean of the coupling factor
    as ``exp(sum_j r_j integral(exp(W_ij exp(-u / tau)) - 1) du)``, which sets b_i.
    """
    silent = round(refractory / dt)
    rates = np.asarray(target_rates, dtype=np.float64)
    chance = 1 / (1 / (rates * dt) - silent)  # a bin's spike probability outside silence
    if (chance <= 0).any() or (chance >= 1).any():
        raise SettingsError(
            f"a rate of {rates.max():g} Hz with {refractory:g} s of silence after each spike",
            "rates below 1 / (refractory + dt)",
            "lower the rate",
        )
    kernel = np.exp(-dt * np.arange(round(12 * circuit.time_constant / dt)) / circuit.time_constant)
    gained = np.expm1(circuit.weights[..., None] * kernel).sum(axis=-1) * dt  # (target, source)
    _check_stable(gained * rates[:, None])
    external = np.log(np.exp(np.asarray(drive, dtype=np.float64)).mean(axis=0))
    baseline = np.log(chance / dt) - external - gained @ rates
    return run(
        circuit,
        PointProcess(baseline=baseline, silent=silent, dt=dt),
        drive,
        rng,
        drive_step=drive_step,
        duration=duration,
        dt=dt,
        intensity_step=intensity_step,
    )


def _check_stable(response: NDArray[np.float64]) -> None:
    """Refuse circuits whose excitatory linear response comes near to sustaining itself."""
    excitation = np.maximum(response, 0.0)
    vector = np.ones(len(excitation))
    for _ in range(50):  # power iteration; the matrix is non-negative
        grown = excitation @ vector
        size = float(grown.max(initial=0.0))
        if size == 0:
            return
        vector = grown / size
    if size > _MAX_RADIUS:
        raise SettingsError(
            f"a circuit in which one spike leads to {size:.2f} further spikes",
            f"at most {_MAX_RADIUS}",
            "lower the gains, the density or the rates",
        )


def simulate_integrate_and_fire(
    circuit: Circuit,
    drive: Floats,
    target_rates: Floats,
    rng: np.random.Generator,
    *,
    drive_step: float = 0.01,
    duration: float | None = None,
    membrane: float = 0.020,
    noise: float = 0.25,
    refractory: float = 0.002,
    dt: float = 1e-3,
) -> Simulated:
    """Simulate leaky integrate-and-fire units with exponential synapses and membrane noise.

    Parameters
    ----------
    circuit : Circuit
        Its weights are input, in distances from rest to threshold.
    drive : array of shape (n_samples, n_units)
        External input; 1 is the distance from rest to threshold.
    target_rates : array of shape (n_units,)
        Mean rates in Hz; the constant input that leads to them is read off `rate_curve`.
    rng : numpy.random.Generator
    drive_step, duration, dt : float
        As in `simulate_point_process`.
    membrane : float
        Membrane time constant in s.
    noise : float
        Standard deviation of the free membrane potential.
    refractory : float
        Time at reset after a spike, in s.

    Returns
    -------
    Simulated
        `intensity` is None: a membrane has no closed-form intensity.

    Raises
    ------
    SettingsError
        If a target rate lies outside the curve.

    Notes
    -----
    ``tau_m dV = (mu_i + x_i(t) + I_i(t) - V) dt + noise sqrt(2 tau_m) dB``, spike and reset to 0 at
    V >= 1, advanced by the exact Gaussian step (Gerstner et al., Neuronal Dynamics, ch. 8).
    """
    silent = round(refractory / dt)
    rates = np.asarray(target_rates, dtype=np.float64)
    inputs, curve = rate_curve(membrane, noise, silent, dt)
    if rates.min() < curve[0] or rates.max() > curve[-1]:
        raise SettingsError(
            f"rates of {rates.min():g} to {rates.max():g} Hz",
            f"{curve[0]:.2g} to {curve[-1]:.3g} Hz for these units",
            "correct the rates",
        )
    area = dt / -np.expm1(-dt / circuit.time_constant)
    mean_drive = np.asarray(drive, dtype=np.float64).mean(axis=0)
    baseline = (
        np.interp(np.log(rates), np.log(curve), inputs)
        - circuit.weights @ rates * area
        - mean_drive
    )
    unit = IntegrateAndFire(baseline=baseline, membrane=membrane, noise=noise, silent=silent, dt=dt)
    return run(circuit, unit, drive, rng, drive_step=drive_step, duration=duration, dt=dt)


def rate_curve(membrane: float, noise: float, silent: int, dt: float) -> tuple[Array, Array]:
    """Compute the rate of unconnected integrate-and-fire units against their input.

    Parameters
    ----------
    membrane, noise, silent, dt
        As in `IntegrateAndFire`.

    Returns
    -------
    inputs : array of shape (n_inputs,)
        Constant inputs, in distances from rest to threshold.
    rates : array of shape (n_inputs,)
        Rates in Hz.

    Notes
    -----
    The potential below threshold is a Markov chain with Gaussian steps, here on a grid of
    `_CELL`. With Q its transition matrix, the steps T to the next spike solve ``T = 1 + Q T``, and
    a spike comes every ``silent + T(0)`` steps.
    """
    inputs = np.linspace(-0.25, 3.0, 131)
    keep = np.exp(-dt / membrane)
    edges = np.arange(1.0, min(inputs[0], 0.0) - 6 * noise, -_CELL)[::-1]
    # The last start is the reset, from which the intervals between spikes are counted.
    starts = np.append((edges[1:] + edges[:-1]) / 2, 0.0)
    edges[0] = -np.inf
    rates = np.empty(len(inputs))
    for k, goal in enumerate(inputs):
        mean = goal + (starts - goal) * keep
        below = ndtr((edges - mean[:, None]) / (noise * np.sqrt(1 - keep**2)))
        step = np.diff(below, axis=1)
        waiting = np.linalg.solve(np.eye(step.shape[1]) - step[:-1], np.ones(step.shape[1]))
        rates[k] = 1 / (dt * (silent + 1 + step[-1] @ waiting))
    return inputs, rates
