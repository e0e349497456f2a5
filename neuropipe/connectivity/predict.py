"""Prediction of participants' labels from connectivity."""

from __future__ import annotations

from neuropipe.connectivity.cohort import Cohort
from neuropipe.connectivity.settings import ConnectivitySettings
from neuropipe.prediction.connectomes import connectome_grams
from neuropipe.prediction.design import read_design
from neuropipe.prediction.rows import TargetResult, score_features

__all__ = ["predict_targets"]


def predict_targets(
    cohort: Cohort, settings: ConnectivitySettings
) -> tuple[list[TargetResult], list[str]]:
    """Predict every target from every kind of connectivity.

    Parameters
    ----------
    cohort : Cohort
    settings : ConnectivitySettings

    Returns
    -------
    results : list of TargetResult
        One a target, in the order of the settings.
    left_out : list of str
        Sentences about targets and rows left out because too few subjects are known.

    Raises
    ------
    UnfitRecordingError
        If a column is unknown, has one class, or a class too small for the folds.
    """
    design, left_out = read_design(cohort.participants, settings)
    if design is None:
        return [], left_out
    grams = {
        str(kind): connectome_grams(kind, cohort.z, cohort.covariances, design.partitions)
        for kind in settings.kinds
    }
    results, more = score_features(design, grams)
    return results, left_out + more
