"""Methods texts to paste, and the references they cite."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from neuropipe.brainmae.data import Runs
from neuropipe.brainmae.features import Block
from neuropipe.brainmae.group_fit import GroupFit
from neuropipe.brainmae.names import LABEL_MODELS
from neuropipe.brainmae.recording_fit import RecordingFit
from neuropipe.brainmae.settings import BrainmaeSettings
from neuropipe.prediction.text import CONNECTOMES, PREDICTION_REFERENCES, prediction_methods

__all__ = ["REFERENCES", "group_methods", "recording_methods"]

REFERENCES = PREDICTION_REFERENCES | {
    "Abnar2020": "Abnar S, Zuidema W (2020). Quantifying attention flow in transformers. ACL "
    "2020:4190-4197.",
    "Allen2014": "Allen EA, Damaraju E, Plis SM, Erhardt EB, Eichele T, Calhoun VD (2014). "
    "Tracking whole-brain connectivity dynamics in the resting state. Cereb Cortex 24:663-676.",
    "Finn2015": "Finn ES, Shen X, Scheinost D, Rosenberg MD, Huang J, Chun MM, Papademetris X, "
    "Constable RT (2015). Functional connectome fingerprinting: identifying individuals using "
    "patterns of brain connectivity. Nat Neurosci 18:1664-1671.",
    "He2022": "He K, Chen X, Xie S, Li Y, Dollar P, Girshick R (2022). Masked autoencoders are "
    "scalable vision learners. CVPR 2022:16000-16009.",
    "Kan2022": "Kan X, Dai W, Cui H, Zhang Z, Guo Y, Yang C (2022). Brain network transformer. "
    "NeurIPS 35:25586-25599.",
    "Kawahara2017": "Kawahara J, Brown CJ, Miller SP, Booth BG, Chau V, Grunau RE, Zwicker JG, "
    "Hamarneh G (2017). BrainNetCNN: convolutional neural networks for brain networks; towards "
    "predicting neurodevelopment. NeuroImage 146:1038-1049.",
    "Kumar2022": "Kumar A, Raghunathan A, Jones R, Ma T, Liang P (2022). Fine-tuning can distort "
    "pretrained features and underperform out-of-distribution. ICLR 2022. arXiv:2202.10054.",
    "Loshchilov2019": "Loshchilov I, Hutter F (2019). Decoupled weight decay regularization. "
    "ICLR 2019. arXiv:1711.05101.",
    "Tipping1999": "Tipping ME, Bishop CM (1999). Probabilistic principal component analysis. "
    "J R Stat Soc B 61:611-622.",
    "Vidaurre2017": "Vidaurre D, Smith SM, Woolrich MW (2017). Brain network dynamics are "
    "hierarchically organized in time. PNAS 114:12827-12832.",
    "Yang2024": "Yang Y, Mao Y, Liu X, Liu X (2024). BrainMAE: a region-aware self-supervised "
    "learning framework for brain signals. arXiv:2406.17086.",
}

_VARIANTS = {
    "sg": "attention between ROIs that a learnt vector of each ROI decides (static graph)",
    "ag": "one block of attention between ROIs by learnt vectors of the ROIs (static graph), then "
    "self-attention (adaptive graph)",
    "fdg": "self-attention between ROIs, each marked by a learnt vector",
    "vanilla": "self-attention between ROIs, each marked by a fixed position code",
    "ae": "self-attention between ROIs, each marked by a fixed position code, and nothing hidden "
    "in training",
    "possg": "attention between ROIs by a fixed position code (static graph)",
}
_PREDICTORS = {
    "mean": "the training mean",
    "interpolation": "interpolation of the same ROI between the nearest segments that show it",
    "AR": "an autoregressive process of the same ROI",
    "PCA": "probabilistic principal components [Tipping1999]",
    "ridge": "ridge regression on the visible ROIs",
    "Wiener": "the Wiener filter (the Gaussian conditional mean given the visible ROIs, with the "
    "covariance of the training runs)",
    "spatio-temporal Wiener": "the Wiener filter over all visible samples of the segment",
}
_BLOCKS: dict[Block, str] = {
    "connectivity": "the correlation (Fisher's z) between the states of ROIs over segments, after "
    "what all ROIs share was taken off",
    "dynamics": "the root mean square step of every ROI's state from one segment to the next",
    "token": "the state of the token that stands for the run",
}
_LEARNT = {
    "windows": "transitions and dwell times of states of sliding-window connectivity (k-means "
    "[Allen2014])",
    "hmm": "transitions and dwell times of states of a hidden Markov model [Vidaurre2017]",
    "coskewness": "connectivity in the subspace of the training runs' co-skewness",
}
_TRAINED = {
    "full": "the pretrained network, started at the ridge solution of its features and then "
    "trained in all weights [Kumar2022]",
    "scratch": "the same network from random weights",
    "svm": "a linear support vector machine on correlations",
    "cnn": "a convolutional network on correlation matrices, after [Kawahara2017]",
    "graph": "a graph transformer on correlation matrices, after [Kan2022]",
}


def _listed(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _pretraining(card: Mapping[str, Any], settings: BrainmaeSettings) -> str:
    """What the models are, and how they were trained."""
    segments, mask, optimisation = card["segments"], card["mask"], card["optimisation"]
    scale = (
        "over its run"
        if card["scaler"]["kind"] == "run"
        else "by the mean and standard deviation of the training runs"
    )
    points = (
        "their samples as they are"
        if segments["native_tr"]
        else f"{card['n_points']} points each, through an anti-aliasing filter"
    )
    flips = " Half of the crops were negated." if mask["sign_flips"] else ""
    hidden = (
        f"{100 * mask['low']:.3g} to {100 * mask['high']:.3g} %"
        if mask["low"] < mask["high"]
        else f"{100 * mask['high']:.3g} %"
    )
    taken = (
        f" Its weights were taken over from dataset {card['taken_from']}."
        if "taken_from" in card
        else ""
    )
    return (
        f"A masked autoencoder of ROI series (BrainMAE [Yang2024], after [He2022]) was used: "
        f"{_VARIANTS[card['model']['variant']]}, read out to one state a segment, and a "
        f"Transformer over the states of a run (width {card['model']['width']}). Each of "
        f"{len(card['units'])} ROIs was z-scored {scale}; runs were cut into segments of "
        f"{segments['duration']:g} s ({points}). In training, {hidden} of the ROIs of every "
        f"segment were hidden and had to be filled in from the others (weight {mask['weight']:g} "
        f"of the squared error; the rest on visible ROIs), in crops of up to "
        f"{segments['n_segments']} segments.{flips} Weights were optimised by AdamW "
        f"[Loshchilov2019] (at most {optimisation['max_steps']} steps of "
        f"{optimisation['batch_size'] * optimisation['accumulate']} crops, learning rate "
        f"{optimisation['learning_rate']:g}, "
        f"{settings.embedding_lr_scale:g} times that for the vectors of ROIs).{taken}"
    )


def _reconstruction(settings: BrainmaeSettings) -> str:
    shares = _listed([f"{100 * ratio:.3g}" for ratio in sorted(settings.ratios)])
    others = _listed([_PREDICTORS[name] for name in settings.reconstruction_baselines])
    beside = f" Beside it stand {others}, fitted to the same training runs." if others else ""
    return (
        f" Masked R2 is the share of the variance of hidden ROIs that is filled in, with {shares} "
        "% of the ROIs of every segment hidden at random; the same entries were scored for every "
        f"predictor.{beside}"
    )


def recording_methods(
    runs: Runs, fit: RecordingFit, card: Mapping[str, Any], settings: BrainmaeSettings
) -> str:
    """Methods text of one run.

    Parameters
    ----------
    runs : Runs
        One run.
    fit : RecordingFit
    card : mapping
        Of the final model.
    settings : BrainmaeSettings
    """
    text = _pretraining(card, settings)
    text += (
        f" The run ({runs.runs[0].duration:.0f} s, {len(fit.start)} segments) was embedded by the "
        f"model that was pretrained on all {len(card['subjects'])} subjects. The share of the "
        "run's token that flows from each segment is attention rollout [Abnar2020]."
    )
    if fit.left_out_by:
        text += (
            " How well its hidden ROIs are filled in was scored with a model of a cross-validation "
            "fold that had not seen the subject." + _reconstruction(settings)
        )
    return text


def group_methods(fit: GroupFit, card: Mapping[str, Any], settings: BrainmaeSettings) -> str:
    """Methods text of a dataset.

    Parameters
    ----------
    fit : GroupFit
    card : mapping
        Of the final model.
    settings : BrainmaeSettings
    """
    text = _pretraining(card, settings)
    text += f" One model was pretrained on all {len(card['subjects'])} subjects"
    folds = len(fit.split.partitions[0])
    if folds:
        together = settings.group_column or ("subjects" if len(fit.split.subjects) > 1 else "runs")
        seeds = f"{len(settings.seeds)} seed{'s' if len(settings.seeds) > 1 else ''}"
        text += (
            f", and one for each of {folds} folds of {together}, redrawn for {seeds}; whatever is "
            "said of a subject comes from models that had not seen it."
            + _reconstruction(settings)
            + " It was pooled over subjects; intervals are percentile bootstrap intervals over "
            f"subjects ({settings.n_resamples} resamples, paired for differences, models not "
            "trained anew)."
        )
    else:
        text += "."
    if fit.similarity is not None:
        text += (
            " The likeness of two ROIs is the cosine similarity of their learnt vectors. Pairs of "
            "a kind were compared with all others by the area under the ROC curve, against ROIs "
            "dealt out at random [Phipson2010]."
        )
    if fit.identification is not None:
        text += (
            " Identification [Finn2015] looks for the run's other half among the halves of all "
            "subjects' runs by the correlation of features, after the mean over runs was taken "
            "off; both directions were averaged."
        )
    if fit.results:
        text += _labels(fit, settings)
    return text


def _labels(fit: GroupFit, settings: BrainmaeSettings) -> str:

    features = []
    if "frozen" in settings.finetune:
        features.append(
            "features of the pretrained model ("
            + "; ".join(_BLOCKS[b] for b in settings.pool)
            + ")"
        )
    kinds = {"correlation": CONNECTOMES["correlation"], "tangent": CONNECTOMES["tangent"]} | _LEARNT
    features += [kinds[name] for name in settings.baselines if name in kinds]
    elsewhere = list(
        dict.fromkeys(row.name for found in fit.results for row in found.rows if not row.refitted)
    )
    text = prediction_methods(
        settings,
        len(fit.split.subjects),
        features,
        elsewhere,
        scaling="blocks of features that share no unit were brought to the same variance by "
        "training subjects",
    )
    trained = [
        f"{name}: {_TRAINED[key]}" for key, name in LABEL_MODELS.items() if name in elsewhere
    ]
    return text + (f" Trained on the labels were {'; '.join(trained)}." if trained else "")
