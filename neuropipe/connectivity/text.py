"""Methods texts to paste, and the references they cite."""

from __future__ import annotations

from neuropipe.connectivity.data import Series
from neuropipe.connectivity.fit import RecordingFit
from neuropipe.connectivity.settings import ConnectivitySettings
from neuropipe.prediction.text import PREDICTION_REFERENCES

__all__ = ["REFERENCES", "group_methods", "recording_methods"]

REFERENCES = PREDICTION_REFERENCES | {
    "Afyouni2019": "Afyouni S, Smith SM, Nichols TE (2019). Effective degrees of freedom of the "
    "Pearson's correlation coefficient under autocorrelation. NeuroImage 199:609-625.",
    "Benjamini1995": "Benjamini Y, Hochberg Y (1995). Controlling the false discovery rate: a "
    "practical and powerful approach to multiple testing. J R Stat Soc B 57:289-300.",
    "Efron1987": "Efron B (1987). Better bootstrap confidence intervals. J Am Stat Assoc "
    "82:171-185.",
    "Kunsch1989": "Kuensch HR (1989). The jackknife and the bootstrap for general stationary "
    "observations. Ann Stat 17:1217-1241.",
    "Lin2020": "Lin Q, Lunde R, Sarkar P (2020). On the theoretical properties of the network "
    "jackknife. arXiv:2004.08935.",
    "Mantel1967": "Mantel N (1967). The detection of disease clustering and a generalized "
    "regression approach. Cancer Res 27:209-220.",
}


def recording_methods(series: Series, fit: RecordingFit, settings: ConnectivitySettings) -> str:
    """Methods text of one recording's connectivity.

    Parameters
    ----------
    series : Series
    fit : RecordingFit
    settings : ConnectivitySettings
    """
    n_times, n_units = series.values.shape
    shrunk = (
        f"a covariance shrunk towards the identity (shrinkage {fit.shrinkage:.3f}) [Ledoit2004]"
        if settings.shrinkage == "ledoit-wolf"
        else "the sample covariance"
    )
    blocks = len(fit.left_out["mean"])
    text = (
        f"Functional connectivity of {n_units} units was computed over {n_times} complete frames "
        f"({series.duration:.0f} s) as Pearson correlation, and as partial correlation from "
        f"{shrunk}. The effective number of frames of every pair was estimated from the two "
        "units' autocorrelations, under a Tukey taper [Afyouni2019]; edges were tested with it "
        f"at a false discovery rate of {settings.alpha:g} [Benjamini1995]. Intervals of mean "
        f"connectivity are t intervals of a jackknife that leaves out each of {blocks} contiguous "
        f"blocks of {series.duration / blocks:.0f} s [Kunsch1989]; its null shifts every unit "
        "circularly in time."
    )
    if len(fit.pairs):
        text += (
            f" Connectivity of {len(fit.pairs)} homologous pairs was compared with partners dealt "
            "out at random."
        )
    if fit.membership is not None:
        text += (
            " Connectivity within and between networks was compared with networks dealt out at "
            "random over units."
        )
    if fit.split_half is not None:
        text += (
            " The reliability of the matrix is the correlation between the edges of the run's two "
            "halves, with a jackknife over units [Lin2020] and shuffled units as null "
            "[Mantel1967]."
        )
    return text + " P values count the data as one permutation [Phipson2010]."


def group_methods(
    n_subjects: int, n_recordings: int, n_shared: int, settings: ConnectivitySettings
) -> str:
    """Methods text of a dataset's mean connectivity and the likeness of its subjects.

    Parameters
    ----------
    n_subjects, n_recordings : int
    n_shared : int
        Units that all subjects share; 0 where they cannot be matched.
    settings : ConnectivitySettings
    """
    text = (
        f"Functional connectivity (Pearson correlation) of {n_recordings} recordings of "
        f"{n_subjects} subjects was averaged over each subject's recordings: matrices after "
        "Fisher's z transform, summaries of a matrix as they are. Intervals over subjects are "
        + (
            f"percentile bootstrap intervals that draw whole families ({settings.group_column}), "
            if settings.group_column
            else "bias-corrected bootstrap intervals [Efron1987], "
        )
        + f"{settings.n_resamples} resamples."
    )
    if n_shared:
        text += (
            f" Matrices were compared on the {n_shared} units that all subjects share. The "
            "likeness of two subjects is the correlation between their edges; its null shuffles "
            "the units of each subject [Mantel1967]."
        )
    return text
