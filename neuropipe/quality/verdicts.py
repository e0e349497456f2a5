"""From a number and its bounds to a verdict in words."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from pydantic import Field, model_validator

from neuropipe.results import Metric, Verdict
from neuropipe.settings import Settings

_Z95 = 1.959963984540054  # 97.5 % quantile of the normal distribution


class Bounds(Settings):
    """Where a number turns from good to doubtful, and from doubtful to bad.

    Larger is better where `good` lies above `bad`, smaller is better where it lies below.

    Parameters
    ----------
    good : float
        Values at least this good are good; in the unit of the number.
    bad : float
        Values worse than this are bad.
    """

    good: float = Field(description="values at least this good are good")
    bad: float = Field(description="values worse than this are bad")

    @model_validator(mode="after")
    def _check_order(self) -> Bounds:
        if not (math.isfinite(self.good) and math.isfinite(self.bad)) or self.good == self.bad:
            raise ValueError("good and bad must be two different finite numbers")
        return self

    @property
    def larger_is_better(self) -> bool:
        """Whether the number improves upwards."""
        return self.good > self.bad


def judge(value: float | None, bounds: Bounds) -> Verdict | None:
    """Judge a number.

    Parameters
    ----------
    value : float or None
        In the unit of the bounds; None or NaN where it could not be computed.
    bounds : Bounds

    Returns
    -------
    {"good", "doubtful", "bad"} or None
        Both bounds belong to the better side: a value equal to `good` is good, one equal to `bad`
        is doubtful. None where there is no value.
    """
    if value is None or math.isnan(value):
        return None
    sign = 1 if bounds.larger_is_better else -1
    if sign * value >= sign * bounds.good:
        return "good"
    return "doubtful" if sign * value >= sign * bounds.bad else "bad"


def in_words(bounds: Bounds, unit: str = "") -> str:
    """Say the bounds in one line.

    Parameters
    ----------
    bounds : Bounds
    unit : str
        Unit printed behind each number.
    """
    good, bad = (f"{value:g}{f' {unit}' if unit else ''}" for value in (bounds.good, bounds.bad))
    if bounds.larger_is_better:
        return f"good from {good}, bad below {bad}"
    return f"good up to {good}, bad above {bad}"


def judged(
    name: str, value: float | None, bounds: Bounds | None = None, *, unit: str = "", **more: Any
) -> Metric:
    """Make a metric, with its verdict where it has bounds.

    Parameters
    ----------
    name : str
    value : float or None
        NaN and infinity become None.
    bounds : Bounds, optional
        They also tell which way is better.
    unit : str
    **more
        Further fields of `Metric`, such as ``description`` or ``n``.
    """
    value = number(value)
    if bounds is None:
        return Metric(name=name, value=value, unit=unit, **more)
    return Metric(
        name=name,
        value=value,
        unit=unit,
        verdict=judge(value, bounds),
        bounds=in_words(bounds, unit),
        better="higher" if bounds.larger_is_better else "lower",
        **more,
    )


def median_of(name: str, values: np.ndarray, bounds: Bounds | None = None, **more: Any) -> Metric:
    """Make a metric of the median over units, with its interval and the number of units.

    Parameters
    ----------
    name : str
    values : array of shape (n_units,)
        NaN is left out.
    bounds : Bounds, optional
    **more
        Further fields of `Metric`.
    """
    more = {"interval": median_interval(values), "n": int(np.isfinite(values).sum())} | more
    return judged(name, median(values), bounds, **more)


def share_of(name: str, mask: np.ndarray, bounds: Bounds | None = None, **more: Any) -> Metric:
    """Make a metric of the share of true entries, with their number.

    Parameters
    ----------
    name : str
    mask : array of bool
    bounds : Bounds, optional
    **more
        Further fields of `Metric`.
    """
    return judged(name, share(mask), bounds, n=mask.size, **more)


def number(value: float | np.floating[Any] | None) -> float | None:
    """Turn a number into a plain float, and NaN or infinity into None."""
    return None if value is None or not math.isfinite(value) else float(value)


def median(values: np.ndarray) -> float:
    """Median of the finite values, NaN where there is none."""
    finite = values[np.isfinite(values)]
    return float(np.median(finite)) if len(finite) else math.nan


def share(mask: np.ndarray) -> float:
    """Share of true entries, NaN where there is none at all."""
    return float(np.mean(mask)) if mask.size else math.nan


def median_interval(values: np.ndarray) -> tuple[float, float] | None:
    """95 % interval of a median, free of assumptions on the distribution.

    Parameters
    ----------
    values : array of shape (n,)
        Independent observations; NaN is left out.

    Returns
    -------
    tuple of float or None
        The order statistics of ranks ``n/2 -+ 1.96 sqrt(n)/2``; None below six observations, where
        even the extremes do not reach 95 %.

    Notes
    -----
    Conover 1999, Practical Nonparametric Statistics, section 3.2.
    """
    ordered = np.sort(values[np.isfinite(values)])
    n = len(ordered)
    if n < 6:
        return None
    half = _Z95 * math.sqrt(n) / 2
    low, high = math.floor(n / 2 - half), math.ceil(n / 2 + half)
    return float(ordered[max(low - 1, 0)]), float(ordered[min(high, n - 1)])
