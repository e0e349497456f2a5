"""Methods texts to paste, and the references they cite."""

from __future__ import annotations

import re

from neuropipe.connectivity.data import Series
from neuropipe.connectivity.fit import RecordingFit
from neuropipe.connectivity.settings import ConnectivitySettings

__all__ = ["cited", "group_methods", "prediction_methods", "recording_methods"]

REFERENCES = {
    "Afyouni2019": "Afyouni S, Smith SM, Nichols TE (2019). Effective degrees of freedom of the "
    "Pearson's correlation coefficient under autocorrelation. NeuroImage 199:609-625.",
    "Arsigny2007": "Arsigny V, Fillard P, Pennec X, Ayache N (2007). Geometric means in a novel "
    "vector space structure on symmetric positive-definite matrices. SIAM J Matrix Anal Appl "
    "29:328-347.",
    "Benjamini1995": "Benjamini Y, Hochberg Y (1995). Controlling the false discovery rate: a "
    "practical and powerful approach to multiple testing. J R Stat Soc B 57:289-300.",
    "Dadi2019": "Dadi K, Rahim M, Abraham A, Chyzhyk D, Milham M, Thirion B, Varoquaux G (2019). "
    "Benchmarking functional connectome-based predictive models for resting-state fMRI. "
    "NeuroImage 192:115-134.",
    "Efron1987": "Efron B (1987). Better bootstrap confidence intervals. J Am Stat Assoc "
    "82:171-185.",
    "Forman2010": "Forman G, Scholz M (2010). Apples-to-apples in cross-validation studies: "
    "pitfalls in classifier performance measurement. ACM SIGKDD Explor 12:49-57.",
    "Kunsch1989": "Kuensch HR (1989). The jackknife and the bootstrap for general stationary "
    "observations. Ann Stat 17:1217-1241.",
    "Ledoit2004": "Ledoit O, Wolf M (2004). A well-conditioned estimator for large-dimensional "
    "covariance matrices. J Multivar Anal 88:365-411.",
    "Lin2020": "Lin Q, Lunde R, Sarkar P (2020). On the theoretical properties of the network "
    "jackknife. arXiv:2004.08935.",
    "Mantel1967": "Mantel N (1967). The detection of disease clustering and a generalized "
    "regression approach. Cancer Res 27:209-220.",
    "Phipson2010": "Phipson B, Smyth GK (2010). Permutation P-values should never be zero: "
    "calculating exact P-values when permutations are randomly drawn. Stat Appl Genet Mol Biol "
    "9:39.",
    "Snoek2019": "Snoek L, Miletic S, Scholte HS (2019). How to control for confounds in decoding "
    "analyses of neuroimaging data. NeuroImage 184:741-760.",
    "Varoquaux2010": "Varoquaux G, Baronnet F, Kleinschmidt A, Fillard P, Thirion B (2010). "
    "Detection of brain functional-connectivity difference in post-stroke patients using "
    "group-level covariance modeling. MICCAI, LNCS 6361:200-208.",
    "Winkler2015": "Winkler AM, Webster MA, Vidaurre D, Nichols TE, Smith SM (2015). Multi-level "
    "block permutation. NeuroImage 123:253-268.",
}


def cited(text: str) -> dict[str, str]:
    """References that a text marks with ``[key]``, in the order of their first mark."""
    keys = dict.fromkeys(re.findall(r"\[(\w+)\]", text))
    return {key: REFERENCES[key] for key in keys}


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


def prediction_methods(settings: ConnectivitySettings, n_subjects: int) -> str:
    """Methods text of the prediction of subjects' labels.

    Parameters
    ----------
    settings : ConnectivitySettings
    n_subjects : int
    """
    together = f"families ({settings.group_column})" if settings.group_column else "subjects"
    features = {
        "correlation": "Fisher-z correlations",
        "partial": "Fisher-z partial correlations (Ledoit-Wolf covariance [Ledoit2004])",
        "tangent": "displacements of shrunk covariances from the training subjects' log-Euclidean "
        "mean [Arsigny2007], in the tangent space there [Varoquaux2010]",
    }
    text = (
        f" {', '.join(settings.targets)} of {n_subjects} subjects were predicted from "
        f"{'; '.join(features[kind] for kind in settings.kinds)}, by l2-penalised linear models "
        "[Dadi2019] (ridge regression, for classes on +-1 targets, with the penalty of the "
        "smallest leave-one-out error among the training subjects"
    )
    if "logistic" in settings.classifiers:
        text += "; logistic regression with the penalty of the smallest inner-fold log loss"
    text += (
        f"). {settings.n_splits} folds kept {together} whole and were stratified by all classes "
        f"at once; they were redrawn for {len(settings.seeds)} seeds and shared by all models. "
        "Features were centred by training subjects; they share one unit and were not scaled. "
        "AUROC compares subjects of the same test fold only, because decision values of different "
        "models share no scale [Forman2010]; class boundaries lie halfway between the classes' "
        "leave-one-out means. R2 is measured against the training mean. Intervals are percentile "
        f"bootstrap intervals over {together} ({settings.n_resamples} resamples, models not "
        f"refitted). Chance and p values come from {settings.n_permutations} permutations of the "
        "labels among subjects, with everything after the features repeated [Phipson2010]."
    )
    if settings.group_column:
        text += (
            " Labels were permuted between whole families of the same size, and among siblings "
            "[Winkler2015]."
        )
    if settings.confounds:
        text += (
            f" An extra row regresses {', '.join(settings.confounds)} out of the features, with "
            "coefficients of the training subjects [Snoek2019] (never the target itself); another "
            "predicts from the confounds alone."
        )
    return text
