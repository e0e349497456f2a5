"""Methods text of predictions to paste, and the references it cites."""

from __future__ import annotations

from collections.abc import Sequence

from neuropipe.prediction.settings import Kind, PredictionSettings

__all__ = ["CONNECTOMES", "PREDICTION_REFERENCES", "prediction_methods"]

#: What `connectome_grams` makes of each kind.
CONNECTOMES: dict[Kind, str] = {
    "correlation": "Fisher-z correlations",
    "partial": "Fisher-z partial correlations (Ledoit-Wolf covariance [Ledoit2004])",
    "tangent": "displacements of shrunk covariances from the training subjects' log-Euclidean "
    "mean [Arsigny2007], in the tangent space there [Varoquaux2010]",
}
PREDICTION_REFERENCES = {
    "Arsigny2007": "Arsigny V, Fillard P, Pennec X, Ayache N (2007). Geometric means in a novel "
    "vector space structure on symmetric positive-definite matrices. SIAM J Matrix Anal Appl "
    "29:328-347.",
    "Bengio2004": "Bengio Y, Grandvalet Y (2004). No unbiased estimator of the variance of K-fold "
    "cross-validation. J Mach Learn Res 5:1089-1105.",
    "Dadi2019": "Dadi K, Rahim M, Abraham A, Chyzhyk D, Milham M, Thirion B, Varoquaux G (2019). "
    "Benchmarking functional connectome-based predictive models for resting-state fMRI. "
    "NeuroImage 192:115-134.",
    "Forman2010": "Forman G, Scholz M (2010). Apples-to-apples in cross-validation studies: "
    "pitfalls in classifier performance measurement. ACM SIGKDD Explor 12:49-57.",
    "Ledoit2004": "Ledoit O, Wolf M (2004). A well-conditioned estimator for large-dimensional "
    "covariance matrices. J Multivar Anal 88:365-411.",
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


def prediction_methods(
    settings: PredictionSettings,
    n_subjects: int,
    features: Sequence[str],
    trained_elsewhere: Sequence[str] = (),
    *,
    scaling: str = "they share one unit and were not scaled",
) -> str:
    """Methods text of the prediction of subjects' labels.

    Parameters
    ----------
    settings : PredictionSettings
    n_subjects : int
    features : sequence of str
        What the linear models predict from, such as the values of `CONNECTOMES`.
    trained_elsewhere : sequence of str
        Models whose rows come from `decision_row`.
    scaling : str
        What was done to the features besides centring.

    Returns
    -------
    str
        Starts with a space, to follow other sentences; cites `PREDICTION_REFERENCES`.
    """
    together = f"families ({settings.group_column})" if settings.group_column else "subjects"
    text = (
        f" {', '.join(settings.targets)} of {n_subjects} subjects were predicted from "
        f"{'; '.join(features)}, by l2-penalised linear models "
        "[Dadi2019] (ridge regression, for classes on +-1 targets, with the penalty of the "
        "smallest leave-one-out error among the training subjects"
    )
    if "logistic" in settings.classifiers:
        text += "; logistic regression with the penalty of the smallest inner-fold log loss"
    text += (
        f"). {settings.n_splits} folds kept {together} whole and were stratified by all classes "
        f"at once; they were redrawn for {len(settings.seeds)} seeds and shared by all models. "
        f"Features were centred by training subjects; {scaling}. "
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
    if trained_elsewhere:
        text += (
            f" {' and '.join(trained_elsewhere)} could not be trained anew for every permutation: "
            "there the labels were permuted against the predictions as they are, and that null "
            "widened by sqrt(2), because the folds of a cross-validation are not independent "
            "[Bengio2004]."
        )
    return text
