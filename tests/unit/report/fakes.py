"""Result folders as quality and connectivity would write them, from seeded random numbers."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from neuropipe.plotting import ACCENT, CYCLE, DIVERGING, MUTED, new_figure, style
from neuropipe.results import GROUP, Metric, Result, ResultFigure, Verdict

DATASET = "rest"
CARD = (
    '{"name": "rest", "title": "Resting state of twelve volunteers", "modality": "fmri",'
    ' "license": "CC0", "citation": "Doe et al. 2020, doi:10.1000/rest.2020"}'
)
REFERENCES = {
    "power2014": "Power JD et al. 2014. Methods to detect, characterize, and remove motion artifact"
    " in resting state fMRI. NeuroImage 84:320-341. doi:10.1016/j.neuroimage.2013.08.048",
    "ledoit2004": "Ledoit O, Wolf M 2004. A well-conditioned estimator for large-dimensional"
    " covariance matrices. J Multivar Anal 88:365-411. doi:10.1016/S0047-259X(03)00096-4",
}


def judge(value: float, doubtful: float, bad: float) -> Verdict:
    """Higher is better."""
    if value < bad:
        return "bad"
    return "doubtful" if value < doubtful else "good"


def provenance(recording: str, command: str) -> dict[str, object]:
    return {
        "command": f"neuropipe {command} results/{recording}.nc",
        "software": {"python": "3.11.9", "neuropipe": "0.1.0", "numpy": "2.3.0"},
        "git_commit": "0123456789ab",
        "platform": "Linux x86_64",
        "device": "cpu",
        "seed": 7,
        "settings": {"low_pass": 0.1, "standardize": True},
        "inputs": [{"path": f"resources/{recording}.nc", "sha256": "ab" * 32}],
        "wall_time": 3.214,
    }


def quality(
    subject: str, recording: str, seed: int = 0, dataset: str = DATASET, *, draw: bool = True
) -> Result:
    """Quality of a made-up ROI recording with a carpet plot and a spectrum."""
    rng = np.random.default_rng(seed)
    snr = float(rng.uniform(20, 80))
    jumps = float(rng.uniform(0, 0.3))
    metrics = [
        Metric(
            name="temporal SNR",
            value=snr,
            description="Median over units of mean over standard deviation in time.",
            interval=(snr - 4, snr + 4),
            n=90,
            verdict=judge(snr, 45, 30),
            bounds="good from 45, bad below 30",
            better="higher",
        ),
        Metric(
            name="scrubbed volumes",
            value=100 * jumps,
            unit="%",
            description="Share of volumes whose signal jumps by more than 5 robust deviations.",
            verdict=judge(-jumps, -0.1, -0.2),
            bounds="good up to 10 %, bad above 20 %",
            better="lower",
        ),
        Metric(name="duration", value=864.0, unit="s", description="Length of the recording."),
        Metric(name="dead units", value=0.0, description="Units without any variance.", n=90),
        Metric(
            name="drift",
            value=None,
            unit="%",
            description="Needs an absolute baseline, which standardised signals lack.",
        ),
    ]
    return Result(
        analysis="quality",
        dataset=dataset,
        recording=recording,
        subject=subject,
        title="Quality",
        metrics=metrics,
        figures=[_carpet(rng), _spectrum(rng)] if draw else [],
        methods="Signals were checked for temporal signal-to-noise ratio and jumps [power2014].",
        references={"power2014": REFERENCES["power2014"]},
        facts={
            "Species": "Homo sapiens",
            "Units": "90 regions (AAL2)",
            "Duration": "864 s (1200 volumes, 0.72 s apart)",
            "Sampling rate": "1.39 Hz",
        },
        warnings=["the recording has no confounds table"] if seed % 3 == 0 else [],
        provenance=provenance(recording, "quality"),
    )


def connectivity(
    subject: str, recording: str, seed: int = 0, dataset: str = DATASET, *, draw: bool = True
) -> Result:
    """Connectivity of a made-up ROI recording with its matrix."""
    rng = np.random.default_rng(seed + 1000)
    value = float(rng.uniform(0.4, 0.7))
    metrics = [
        Metric(
            name="homotopic correlation",
            value=value,
            description="Mean correlation of left and right homologues.",
            baseline=0.25,
            baseline_name="all pairs",
            chance=0.0,
            interval=(value - 0.05, value + 0.05),
            n=45,
            seed=7,
            split="none",
            verdict=judge(value, 0.45, 0.3),
            bounds="good from 0.45, bad below 0.3",
            better="higher",
        ),
        Metric(
            name="split-half reliability",
            value=0.81,
            description="Correlation of the matrices of both halves.",
            baseline=0.74,
            baseline_name="without shrinkage",
            chance=0.02,
            interval=(0.78, 0.84),
            n=4005,
            split="halves with a gap of 20 s",
            better="higher",
        ),
    ]
    return Result(
        analysis="connectivity",
        dataset=dataset,
        recording=recording,
        subject=subject,
        title="Functional connectivity",
        metrics=metrics,
        figures=[_matrix(rng)] if draw else [],
        methods="Covariances were shrunk [ledoit2004] after scrubbing [power2014].",
        references=dict(REFERENCES),
        facts={"Estimator": "shrunk covariance"},
        provenance=provenance(recording, "connectivity recording"),
    )


def group(dataset: str = DATASET) -> Result:
    """Connectivity over a made-up dataset."""
    result = connectivity("", GROUP, 5, dataset)
    result.subject = ""
    return result


def _carpet(rng: np.random.Generator) -> ResultFigure:
    with style():
        figure = new_figure(3.2)
        axes = figure.subplots(2, 1, sharex=True, height_ratios=[1, 3])
        axes[0].plot(np.arange(300) * 0.72, rng.standard_normal(300).cumsum(), color=ACCENT)
        axes[0].set_ylabel("Global signal")
        axes[1].imshow(
            rng.standard_normal((90, 300)), aspect="auto", cmap="gray", extent=(0, 216, 90, 0)
        )
        axes[1].set(xlabel="Time (s)", ylabel="Region")
    return ResultFigure(
        name="carpet",
        title="Signals of all regions over time",
        caption="Each row is a region, grey is its signal in standard deviations. Vertical stripes"
        " are moments that all regions share: movement or breathing, seldom the brain.",
        figure=figure,
    )


def _spectrum(rng: np.random.Generator) -> ResultFigure:
    with style():
        figure = new_figure(2.4)
        axes = figure.subplots()
        frequency = np.linspace(0.005, 0.69, 200)
        for color in CYCLE[:3]:
            axes.loglog(frequency, rng.gamma(8, 1 / 8, 200) / frequency, color=color)
        axes.axvline(0.1, color=MUTED, linestyle="--")
        axes.set(xlabel="Frequency (Hz)", ylabel="Power (1/Hz)", title="Quartiles over regions")
    return ResultFigure(
        name="spectrum",
        title="Power spectrum",
        caption="Neural fluctuations stand left of the dashed line (0.1 Hz).",
        figure=figure,
    )


def _matrix(rng: np.random.Generator) -> ResultFigure:
    signals = rng.standard_normal((90, 200)) + rng.standard_normal((6, 200)).repeat(15, axis=0)
    with style():
        figure = new_figure(4.4, 5.4)
        axes = figure.subplots()
        image = axes.imshow(np.corrcoef(signals), cmap=DIVERGING, vmin=-1, vmax=1)
        axes.set(xlabel="Region", ylabel="Region")
        figure.colorbar(image, label="Correlation", shrink=0.8)
    return ResultFigure(
        name="matrix",
        title="Correlation between regions",
        caption="Red pairs rise and fall together. Blocks on the diagonal are networks.",
        figure=figure,
    )


def write_subject(root: Path, subject: str, runs: Sequence[str], seed: int = 0) -> list[Path]:
    """Write quality and connectivity of each run below `root`; return the folders.

    The runs share the drawings of the first: drawing takes most of the time.
    """
    folders = []
    for make in (quality, connectivity):
        first = None
        for i, run in enumerate(runs):
            recording = f"sub-{subject}_{run}" if run else f"sub-{subject}"
            folder = root / make.__name__ / recording
            make(subject, recording, seed + i, draw=first is None).write(folder)
            if first is not None:
                _share_figures(first, folder)
            first = first or folder
            folders.append(folder)
    return folders


def _share_figures(source: Path, target: Path) -> None:
    shutil.copytree(source / "figures", target / "figures", dirs_exist_ok=True)
    words = json.loads((source / "section.json").read_text())
    own = json.loads((target / "section.json").read_text())
    (target / "section.json").write_text(json.dumps(own | {"figures": words["figures"]}))


def write_group(root: Path) -> Path:
    """Write the group's connectivity below `root`; return its folder."""
    folder = root / "connectivity" / GROUP
    group().write(folder)
    return folder
