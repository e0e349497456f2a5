"""Methods texts to paste, and the references they cite."""

from __future__ import annotations

from collections.abc import Sequence

from neuropipe.prediction.text import PREDICTION_REFERENCES
from neuropipe.trsa.fit import Representations
from neuropipe.trsa.fit_group import GroupRepresentations
from neuropipe.trsa.settings import TrsaSettings

__all__ = ["REFERENCES", "group_methods", "subject_methods"]

REFERENCES = {
    "Bauer2021": "Bauer U (2021). Ripser: efficient computation of Vietoris-Rips persistence "
    "barcodes. J Appl Comput Topol 5:391-423.",
    "Bernardi2020": "Bernardi S, Benna MK, Rigotti M, Munuera J, Fusi S, Salzman CD (2020). The "
    "geometry of abstraction in the hippocampus and prefrontal cortex. Cell 183:954-967.",
    "Holm1979": "Holm S (1979). A simple sequentially rejective multiple test procedure. Scand J "
    "Stat 6:65-70.",
    "Kriegeskorte2008": "Kriegeskorte N, Mur M, Bandettini P (2008). Representational similarity "
    "analysis: connecting the branches of systems neuroscience. Front Syst Neurosci 2:4.",
    "Lampinen2024": "Lampinen AK, Chan SCY, Hermann K (2024). Learned feature representations are "
    "biased by complexity, learning order, position, and more. TMLR. arXiv:2405.05847.",
    "Ledoit2004": "Ledoit O, Wolf M (2004). A well-conditioned estimator for large-dimensional "
    "covariance matrices. J Multivar Anal 88:365-411.",
    "Lin2024": "Lin B, Kriegeskorte N (2024). The topology and geometry of neural "
    "representations. PNAS 121:e2317881121. doi:10.1073/pnas.2317881121",
    "Nili2014": "Nili H, Wingfield C, Walther A, Su L, Marslen-Wilson W, Kriegeskorte N (2014). A "
    "toolbox for representational similarity analysis. PLoS Comput Biol 10:e1003553.",
    "Phipson2010": PREDICTION_REFERENCES["Phipson2010"],
    "Schafer2005": "Schäfer J, Strimmer K (2005). A shrinkage approach to large-scale covariance "
    "matrix estimation and implications for functional genomics. Stat Appl Genet Mol Biol 4:32.",
    "Schutt2023": "Schütt HH, Kipnis AD, Diedrichsen J, Kriegeskorte N (2023). Statistical "
    "inference on representational geometries. eLife 12:e82566. doi:10.7554/eLife.82566",
    "Walther2016": "Walther A, Nili H, Ejaz N, Alink A, Kriegeskorte N, Diedrichsen J (2016). "
    "Reliability of dissimilarity measures for multi-voxel pattern analysis. NeuroImage "
    "137:188-200. doi:10.1016/j.neuroimage.2015.12.012",
}

_MEASURES = {
    "crossnobis": "crossvalidated squared Mahalanobis distances (crossnobis), which noise does not "
    "bias and which may be negative [Walther2016]",
    "mahalanobis": "squared Mahalanobis distances, which noise raises",
    "euclidean": "squared Euclidean distances, which noise raises",
    "correlation": "one minus the correlation of patterns",
    "poisson": "symmetrised Kullback-Leibler divergences of Poisson rates",
    "crossvalidated poisson": "crossvalidated symmetrised Kullback-Leibler divergences of Poisson "
    "rates",
}


def subject_methods(found: Sequence[Representations], settings: TrsaSettings) -> str:
    """Methods text of a subject.

    Parameters
    ----------
    found : sequence of Representations
    settings : TrsaSettings
    """
    one = found[0]
    parts = [
        _responses(one, settings),
        _dissimilarity(one, settings),
        "Likeness of the RDMs of halves of the data, over all units and in each region, was "
        f"compared with {settings.n_permutations} relabellings of the conditions [Phipson2010].",
    ]
    if any(region.evaluation is not None for region in one.regions):
        parts.append(
            f"Model RDMs were compared with the data's by {settings.comparison}; intervals come "
            f"from {settings.n_bootstrap} bootstrap draws of conditions and the t distribution "
            "[Schutt2023], p values from relabelled conditions."
        )
    if any(region.homology for region in one.regions):
        parts.append(
            "Geo-topological (RGTM) and geodesic (RGDM) matrices follow [Lin2024]. Persistent "
            "homology of the Rips complex of mean patterns was computed with Ripser [Bauer2021] "
            f"and compared with {settings.topology.n_null} Gaussian clouds of the same covariance."
        )
    if one.geometry is not None and one.geometry.factors:
        parts.append(
            "Abstraction of binary factors was measured by cross-condition generalisation and "
            "parallelism of coding directions [Bernardi2020], beside means turned at random."
        )
    if one.geometry is not None and one.geometry.features is not None:
        parts.append(
            "Shares of variance and decodability of features stand side by side because they "
            "need not go together [Lampinen2024]."
        )
    return " ".join(parts)


def _responses(one: Representations, settings: TrsaSettings) -> str:
    responses, options = one.responses, settings.responses
    patterns = responses.patterns
    folds = {
        "runs": f"{len(patterns.folds)} runs are the folds",
        "trials": f"the trials were parted into {len(patterns.folds)} folds in the order of time",
        "repeats": f"{len(patterns.folds)} sets of repeats are the folds",
    }[responses.folds]
    what = {
        "glm": f"Responses to conditions are betas of a general linear model ({options.hrf} "
        f"response, cosine drifts up to {options.high_pass:g} Hz, {options.noise_model} noise)",
        "spikes/s": "Responses to conditions are mean rates in spikes/s",
    }
    kind = "glm" if one.is_glm else patterns.unit
    first = what.get(kind, "Responses to conditions are means over their presentations")
    return (
        f"{first}, of {len(patterns.channels)} units and {len(patterns.conditions)} conditions; "
        f"{folds}."
    )


def _dissimilarity(one: Representations, settings: TrsaSettings) -> str:
    words = (
        "Representational dissimilarity matrices (RDMs) [Kriegeskorte2008] hold "
        f"{_MEASURES[one.measure]}."
    )
    if one.measure in ("crossnobis", "mahalanobis") and one.responses.patterns.noise is not None:
        target = {
            "diagonal": "shrunk to its diagonal [Schafer2005]",
            "identity": "shrunk to one variance [Ledoit2004]",
        }.get(str(settings.shrinkage), f"shrunk by {settings.shrinkage}")
        words += f" The covariance of the noise was {target}."
    return words


def _inference(settings: TrsaSettings, new: str) -> str:
    """How models are tested over subjects."""
    scope = {
        "subjects": "new subjects (variance over subjects)",
        "conditions": "new conditions of these subjects (bootstrap over conditions)",
        "both": "new subjects and new conditions (dual bootstrap with corrected variance)",
    }[new]
    return (
        f"Models were compared with the RDMs by {settings.comparison}; tests and intervals are for "
        f"{scope}, from {settings.n_bootstrap} draws [Schutt2023]; differences between models were "
        "corrected over their number [Holm1979]. The noise ceiling is the likeness of each "
        "subject's RDM to the mean of the others (lower bound) and of all (upper bound) [Nili2014]."
    )


def group_methods(group: GroupRepresentations, settings: TrsaSettings) -> str:
    """Methods text of a dataset.

    Parameters
    ----------
    group : GroupRepresentations
    settings : TrsaSettings
    """
    table = group.rdms.table
    parts = [
        f"RDMs [Kriegeskorte2008] of {table['subject'].nunique()} subjects over "
        f"{group.rdms.n_conditions} conditions hold "
        f"{_MEASURES.get(group.rdms.measure, 'dissimilarities')}."
    ]
    if group.evaluations:
        parts.append(_inference(settings, group.new))
    if group.identified is not None:
        found = group.identified
        n_cells = len(found.accuracies.cells)
        parts.append(
            f"RDMs of each left-out {found.across} were given the {found.what} of the nearest mean "
            f"(Euclidean) over the others, after geo-topological transforms at {n_cells} pairs of "
            "thresholds, geodesic and homology representations [Lin2024]; thresholds for a claim "
            f"were chosen without the left-out {found.across}. Families were compared with the "
            f"rank RDM by sign flips over {found.across}s [Phipson2010], Holm-corrected [Holm1979]."
        )
    return " ".join(parts)
