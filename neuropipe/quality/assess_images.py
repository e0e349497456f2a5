"""Quality of responses to images: from a Recording to metrics, arrays, figures and words."""

from __future__ import annotations

import numpy as np

from neuropipe.quality.evaluate import Assessment, dataset, explained
from neuropipe.quality.figures_images import reliability_figure, responses_figure
from neuropipe.quality.images import ImageNumbers, measure
from neuropipe.quality.series import mean_sd
from neuropipe.quality.settings import ImagesQualitySettings
from neuropipe.quality.verdicts import judged, median, median_of, share_of
from neuropipe.recording import Recording
from neuropipe.results import Metric
from neuropipe.stats.noise_ceiling import noise_ceiling_snr

_REFERENCES = {
    "spearman1910": "Spearman C (1910). Correlation calculated from faulty data. British Journal "
    "of Psychology 3, 271.",
    "allen2022": "Allen EJ, St-Yves G, Wu Y, et al. (2022). A massive 7T fMRI dataset to bridge "
    "cognitive neuroscience and artificial intelligence. Nature Neuroscience 25, 116.",
}
_NO_REPEATS = "Not computed: the recording holds one response per image, and repeats are needed."


def assess(recording: Recording, settings: ImagesQualitySettings, seed: int) -> Assessment:
    """Judge a recording of responses to images.

    Parameters
    ----------
    recording : Recording
        Of modality images.
    settings : ImagesQualitySettings
    seed : int
        Of the random halves.
    """
    numbers = measure(recording, settings, seed)
    figures = [responses_figure(recording, numbers)]
    warnings = []
    if numbers.reliability is None:
        warnings.append(
            "There is one response per image: reliability and noise ceiling cannot be told, and no "
            "model's score can be compared with what is possible."
        )
    else:
        figures.insert(0, reliability_figure(numbers, settings))
    silent = int((~np.isfinite(numbers.means).any(axis=0)).sum())
    if silent:
        warnings.append(f"{silent} of {recording.n_units} units have no response to any image.")
    return Assessment(
        metrics=explained(_metrics(numbers, settings, seed), "no unit responds"),
        arrays=dataset(_arrays(recording, numbers), recording),
        figures=figures,
        methods=_methods(numbers, settings),
        references=_REFERENCES if numbers.reliability is not None else {},
        warnings=warnings,
    )


def _metrics(numbers: ImageNumbers, settings: ImagesQualitySettings, seed: int) -> list[Metric]:
    reliability, parts, ceiling = numbers.reliability, numbers.parts, numbers.ceiling
    name = "split-half reliability"
    metrics = [judged(name, None, settings.reliability, description=_NO_REPEATS)]
    if reliability is not None and parts is not None and ceiling is not None:
        metrics = [
            median_of(
                name,
                reliability,
                settings.reliability,
                description="Median over units of the correlation between the mean responses of "
                f"random halves of the repeats ({settings.n_splits} splits), corrected to all "
                "repeats (Spearman-Brown); higher is better.",
                chance=0.0,
                seed=seed,
            ),
            share_of(
                "reliable units",
                reliability[np.isfinite(reliability)] >= settings.reliable,
                settings.reliable_units,
                description=f"Share of units with a reliability of at least {settings.reliable:g}; "
                "higher is better.",
            ),
            median_of(
                "noise ceiling",
                ceiling,
                description="Median over units of the share of variance of the mean response that "
                "a perfect model could explain; higher is better.",
                better="higher",
            ),
            median_of(
                "single-trial signal to noise",
                noise_ceiling_snr(parts),
                description="Median over units of the standard deviation of the signal over that "
                "of the noise in single trials (ncsnr); higher is better.",
                better="higher",
            ),
        ]
    shown = numbers.repeats[numbers.repeats > 0]
    varies = len(set(shown)) > 1
    return [
        *metrics,
        judged(
            "images",
            float(len(shown)),
            settings.n_images,
            description="Number of different images with a response; higher is better.",
        ),
        judged(
            "repeats",
            median(shown.astype(float)),
            description="Median over images of the number of repeats"
            + (f", from {shown.min()} to {shown.max()}" if varies else "")
            + "; higher is better.",
            n=len(shown),
            better="higher",
        ),
        share_of(
            "units without response",
            ~np.isfinite(numbers.means).any(axis=0),
            settings.missing_units,
            description="Share of units that lack any response; lower is better.",
        ),
    ]


def _arrays(
    recording: Recording, numbers: ImageNumbers
) -> dict[str, tuple[tuple[str, ...], np.ndarray, str, str]]:
    assert recording.responses is not None
    unit = ("unit",)
    of_response = str(recording.responses.attrs.get("unit", ""))
    found: dict[str, tuple[tuple[str, ...], np.ndarray, str, str]] = {
        "mean_response": (unit, mean_sd(numbers.means)[0], of_response, "mean over images"),
        "repeats": (("stimulus",), numbers.repeats, "", "repeats per image"),
    }
    if numbers.reliability is not None:
        found["reliability"] = (unit, numbers.reliability, "", "split-half, Spearman-Brown")
    if numbers.parts is not None and numbers.ceiling is not None:
        found["noise_ceiling"] = (unit, numbers.ceiling, "", "explainable share of the mean")
        found["signal_variance"] = (unit, numbers.parts.signal, f"({of_response})^2", "s^2")
        found["noise_variance"] = (unit, numbers.parts.noise, f"({of_response})^2", "e^2")
    return found


def _methods(numbers: ImageNumbers, settings: ImagesQualitySettings) -> str:
    if numbers.reliability is None:
        return "Responses were given as one value per image, without repeats."
    return (
        "Reliability was the correlation across images between the mean responses of two random "
        f"halves of the repeats, averaged over {settings.n_splits} splits and corrected for length "
        "by the Spearman-Brown formula [spearman1910]. Noise ceilings were computed from the "
        "variance between images and within repeats [allen2022]."
    )
