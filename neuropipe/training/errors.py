"""Errors of training, devices and weights that a user can see."""

from __future__ import annotations

from neuropipe.errors import NeuropipeError


class TrainingError(NeuropipeError):
    """Training cannot go on: a loss or gradient that is not finite, a missing number to watch."""


class DeviceError(NeuropipeError):
    """The accelerator that the settings ask for is not there."""


class WeightsError(NeuropipeError):
    """A folder of weights is incomplete or damaged."""


class MismatchError(NeuropipeError):
    """Weights were made for other data than they are loaded for."""
