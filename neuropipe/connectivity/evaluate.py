"""The numbers of one recording: each beside a baseline, chance and an interval."""

from __future__ import annotations

import numpy as np
import xarray as xr

from neuropipe.connectivity.data import Series
from neuropipe.connectivity.fit import RecordingFit
from neuropipe.connectivity.settings import ConnectivitySettings
from neuropipe.results import Metric, Verdict
from neuropipe.stats.connectivity_matrices import edges
from neuropipe.stats.permutation import permutation_p_value
from neuropipe.stats.resampling import jackknife_interval

__all__ = ["in_words", "recording_arrays", "recording_facts", "recording_metrics"]


def recording_metrics(
    series: Series, fit: RecordingFit, settings: ConnectivitySettings
) -> list[Metric]:
    """Summaries of a recording's connectivity.

    Parameters
    ----------
    series : Series
    fit : RecordingFit
    settings : ConnectivitySettings
    """
    n_units = len(fit.correlation)
    seed = settings.seeds[0]
    metrics = [
        Metric(
            name="mean connectivity",
            value=fit.summary["mean"],
            description="Mean correlation over all pairs of units; near 0 after global signal "
            f"regression. {in_words(fit.summary['mean'], fit.nulls['mean'])} against circular "
            "shifts.",
            chance=float(fit.nulls["mean"].mean()),
            interval=_interval(fit, "mean"),
            n=len(fit.left_out["mean"]),
            seed=seed,
        )
    ]
    if len(fit.pairs):
        metrics.append(_homologous(fit, settings, seed))
    if fit.membership is not None:
        metrics.append(_contrast(fit, settings, seed))
    metrics.append(_split_half(series, fit, seed))
    metrics.append(
        Metric(
            name="effective frames",
            value=float(np.median(edges(fit.samples))),
            description=f"Median over pairs of the independent frames that {len(series.values)} "
            "autocorrelated ones are worth; more is better.",
            better="higher",
            baseline=float(len(series.values)),
            baseline_name="all frames",
            n=n_units * (n_units - 1) // 2,
        )
    )
    metrics.append(
        Metric(
            name="significant edges",
            value=100 * float(fit.significant.mean()),
            unit="%",
            description="Share of pairs whose correlation differs from 0 at a false discovery "
            f"rate of {settings.alpha:g}, given their effective frames.",
            chance=0.0,
            n=n_units * (n_units - 1) // 2,
        )
    )
    return metrics


def in_words(value: float, null: np.ndarray) -> str:
    """Say a p value, as in ``"p = 0.001 (1000 permutations)"``."""
    p = float(permutation_p_value(value, null))
    return f"p = {p:.2g} ({len(null)} permutations)"


def _interval(fit: RecordingFit, name: str) -> tuple[float, float]:
    return jackknife_interval(fit.summary[name], fit.left_out[name])


def _verdict(value: float, null: np.ndarray, alpha: float) -> Verdict | None:
    """None where even the most extreme shuffle would not reach `alpha`: too few to shuffle."""
    if float(permutation_p_value(max(value, null.max()), null)) > alpha:
        return None
    return "good" if float(permutation_p_value(value, null)) <= alpha else "doubtful"


def _homologous(fit: RecordingFit, settings: ConnectivitySettings, seed: int) -> Metric:
    value, null = fit.summary["homologous"], fit.nulls["homologous"]
    return Metric(
        name="homologous connectivity",
        value=value,
        description=f"Mean correlation of {len(fit.pairs)} left/right homologous pairs; healthy "
        f"recordings lie well above all pairs. {in_words(value, null)} against partners dealt out "
        "at random.",
        better="higher",
        baseline=fit.summary["mean"],
        baseline_name="all pairs",
        chance=float(null.mean()),
        interval=_interval(fit, "homologous"),
        n=len(fit.pairs),
        seed=seed,
        verdict=_verdict(value, null, settings.alpha),
        bounds=f"good when p is at most {settings.alpha:g}, else doubtful",
    )


def _contrast(fit: RecordingFit, settings: ConnectivitySettings, seed: int) -> Metric:
    assert fit.membership is not None
    value, null = fit.summary["contrast"], fit.nulls["contrast"]
    return Metric(
        name="network contrast",
        value=value,
        description=f"Mean correlation within networks ({fit.summary['within']:.3f}) minus between "
        f"them ({fit.summary['between']:.3f}); higher is clearer. {in_words(value, null)} against "
        "networks dealt out at random.",
        better="higher",
        baseline=0.0,
        baseline_name="no networks",
        chance=float(null.mean()),
        interval=_interval(fit, "contrast"),
        n=int(fit.membership.sum()),
        seed=seed,
        verdict=_verdict(value, null, settings.alpha),
        bounds=f"good when p is at most {settings.alpha:g}, else doubtful",
    )


def _split_half(series: Series, fit: RecordingFit, seed: int) -> Metric:
    name = "split-half reliability"
    split = f"first against second half, {series.duration / 2:.0f} s each"
    if fit.split_half is None:
        return Metric(
            name=name,
            value=None,
            description="Not computed: a unit is constant throughout one half of the run.",
            split=split,
        )
    value, null = fit.split_half.r, fit.nulls["split_half"]
    low, high = jackknife_interval(value, fit.split_half.without)
    defined = bool(np.isfinite([low, high]).all())  # three units leave one edge: no correlation
    return Metric(
        name=name,
        value=value,
        description="Correlation between the edges of the run's two halves; higher is better and "
        f"longer runs reach more. {in_words(value, null)} against shuffled units.",
        better="higher",
        chance=float(null.mean()),
        interval=(max(low, -1.0), min(high, 1.0)) if defined else None,
        n=len(fit.correlation),
        seed=seed,
        split=split,
    )


def recording_arrays(series: Series, fit: RecordingFit) -> xr.Dataset:
    """Matrices of a recording for ``result.nc``.

    Parameters
    ----------
    series : Series
    fit : RecordingFit
    """
    dims = ("unit", "other_unit")
    names = np.array(series.names, dtype=object)
    arrays = {
        "correlation": (fit.correlation, "Pearson correlation"),
        "partial_correlation": (fit.partial, "correlation given all other units"),
        "effective_frames": (fit.samples, "independent frames of the pair"),
    }
    return xr.Dataset(
        {
            name: (dims, values.astype(np.float32), {"long_name": text, "units": "1"})
            for name, (values, text) in arrays.items()
        },
        coords={"unit": names, "other_unit": names},
        attrs={
            "n_frames": len(series.values),
            "sampling_rate": series.sampling_rate,
            "shrinkage": fit.shrinkage,
        },
    )


def recording_facts(series: Series, fit: RecordingFit) -> dict[str, str]:
    """Short facts for the overview."""
    facts = {
        "units": str(series.values.shape[1]),
        "frames": f"{len(series.values)} at {series.sampling_rate:.4g} Hz",
    }
    if len(fit.pairs):
        facts["homologous pairs"] = str(len(fit.pairs))
    if fit.membership is not None:
        facts["networks"] = str(fit.membership.shape[1])
    return facts
