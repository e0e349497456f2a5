"""One recording's share of a dataset's connectome: which components it shows, and when."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neuropipe.connectome.communities.search import Blocks
from neuropipe.connectome.factorization import Factors
from neuropipe.connectome.readings import Window, read_windows, time_windows
from neuropipe.connectome.settings import ConnectomeSettings

__all__ = ["RecordingConnectome", "recording_connectome"]


@dataclass(frozen=True)
class RecordingConnectome:
    """What a dataset's connectome says of one recording.

    Parameters
    ----------
    factors : Factors
        Of the dataset.
    place : int
        Of the recording among the dataset's.
    presence : array of bool of shape (n_units,)
        Units that it has.
    seconds : array of shape (n_samples,)
        Time of the tensor's samples.
    activity : array of shape (n_samples, rank)
        Each component's course here, weights included.
    share : array of shape (n_animals, rank)
        Mean activity of every recording, over the largest of each component.
    windows : list of Window
        Stretches of this recording's time.
    blocks : list of Blocks
        Communities of every window, by this recording's activity; over all units of the dataset.
    """

    factors: Factors
    place: int
    presence: np.ndarray
    seconds: np.ndarray
    activity: np.ndarray
    share: np.ndarray
    windows: list[Window]
    blocks: list[Blocks]


def recording_connectome(
    factors: Factors,
    place: int,
    presence: np.ndarray,
    seconds: np.ndarray,
    n_samples: int,
    degree_corrected: bool,
    settings: ConnectomeSettings,
) -> RecordingConnectome:
    """Read one recording's communities over time from the dataset's factors.

    Parameters
    ----------
    factors : Factors
    place : int
    presence : array of bool of shape (n_animals, n_units)
    seconds : array of shape (n_samples,)
    n_samples : int
        Samples of the tensor that this recording covers.
    degree_corrected : bool
        Form of the dataset's block models.
    settings : ConnectomeSettings
    """
    activity = factors.activity()[place, :n_samples]
    windows = time_windows(seconds[:n_samples], 1.0, settings.n_windows)
    return RecordingConnectome(
        factors=factors,
        place=place,
        presence=presence[place],
        seconds=seconds[:n_samples],
        activity=activity,
        share=factors.levels(),
        windows=windows,
        blocks=read_windows(
            factors,
            (activity * factors.slices[0])[None],
            presence.shape[1],
            windows,
            degree_corrected=degree_corrected,
            n_runs=settings.communities.n_runs,
            min_weight=settings.communities.min_weight,
            seed=settings.seed,
        ),
    )
