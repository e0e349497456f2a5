"""One measured claim beside its threshold: the row of a validation table."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import SupportsFloat


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

    def __post_init__(self) -> None:
        # Comparisons of arrays give numpy's own kinds, which JSON does not know.
        object.__setattr__(self, "measured", float(self.measured))
        object.__setattr__(self, "passed", bool(self.passed))


def at_least(name: str, measured: SupportsFloat, bound: float, detail: str = "") -> Check:
    """Check that a number is `bound` or more; NaN fails."""
    value = float(measured)
    return Check(name, value, f">= {bound:g}", value >= bound, detail)


def at_most(name: str, measured: SupportsFloat, bound: float, detail: str = "") -> Check:
    """Check that a number is `bound` or less; NaN fails."""
    value = float(measured)
    return Check(name, value, f"<= {bound:g}", value <= bound, detail)


def near(
    name: str, measured: SupportsFloat, target: SupportsFloat, tolerance: float, detail: str = ""
) -> Check:
    """Check that a number lies within `tolerance` of `target`; NaN fails."""
    value, centre = float(measured), float(target)
    passed = abs(value - centre) <= tolerance
    return Check(name, value, f"{centre:g} +- {tolerance:g}", passed, detail)


def between(name: str, measured: SupportsFloat, low: float, high: float, detail: str = "") -> Check:
    """Check that a number lies in [low, high]; NaN fails."""
    value = float(measured)
    return Check(name, value, f"{low:g} to {high:g}", low <= value <= high, detail)


def failures(checks: Iterable[Check]) -> list[Check]:
    """Pick the checks that did not pass."""
    return [check for check in checks if not check.passed]
