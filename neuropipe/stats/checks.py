"""One measured claim beside its threshold: the row of a validation table."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Check:
    """A claim about code that was measured on data whose truth is known.

    Parameters
    ----------
    name : str
        What is claimed, such as ``"fmri: realised SNR"``.
    measured : float
        The number that was found; NaN where it could not be computed (then `passed` is False).
    threshold : str
        The bound in words and numbers, such as ``">= 0.9"`` or ``"0.5 +- 0.05"``.
    passed : bool
        Whether `measured` meets `threshold`.
    detail : str
        How it was measured: data, seeds, split, and the numbers it should be seen beside.
    """

    name: str
    measured: float
    threshold: str
    passed: bool
    detail: str = ""


def at_least(name: str, measured: float, bound: float, detail: str = "") -> Check:
    """Check that a number is `bound` or more; NaN fails."""
    return Check(name, float(measured), f">= {bound:g}", bool(measured >= bound), detail)


def at_most(name: str, measured: float, bound: float, detail: str = "") -> Check:
    """Check that a number is `bound` or less; NaN fails."""
    return Check(name, float(measured), f"<= {bound:g}", bool(measured <= bound), detail)


def near(name: str, measured: float, target: float, tolerance: float, detail: str = "") -> Check:
    """Check that a number lies within `tolerance` of `target`; NaN fails."""
    passed = bool(abs(measured - target) <= tolerance)
    return Check(name, float(measured), f"{target:g} +- {tolerance:g}", passed, detail)


def between(name: str, measured: float, low: float, high: float, detail: str = "") -> Check:
    """Check that a number lies in [low, high]; NaN fails."""
    passed = bool(low <= measured <= high)
    return Check(name, float(measured), f"{low:g} to {high:g}", passed, detail)


def failures(checks: Iterable[Check]) -> list[Check]:
    """Pick the checks that did not pass."""
    return [check for check in checks if not check.passed]
