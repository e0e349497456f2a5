"""Numbers as a paper prints them: significant digits, true minus signs, powers of ten."""

from __future__ import annotations

import math

MISSING = "\u2013"  # en dash
_MINUS = "\u2212"
_TIMES = "\u00d7"
_THIN = "\u202f"  # narrow no-break space: groups thousands
_SPACE = "\u00a0"  # no-break space: stands before a unit
_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def format_number(value: float | None, digits: int = 3) -> str:
    """Print a number with `digits` significant digits.

    Parameters
    ----------
    value : float or None
        None and numbers that are not finite print as a dash.
    digits : int
        Significant digits; whole numbers below a million are printed in full.

    Returns
    -------
    str
        ``"0.531"``, ``"−12.0"``, ``"18 204"``, ``"3.10 × 10⁻⁵"``.
    """
    if value is None or not math.isfinite(value):
        return MISSING
    rounded = float(f"{value:.{digits}g}")
    size = abs(rounded)
    if value == int(value) and abs(value) < 1e6:
        text = _grouped(f"{int(value)}")
    elif 10**digits <= size < 1e6:
        text = _grouped(f"{value:.0f}")
    elif 1e-3 <= size < 10**digits:
        text = f"{rounded:#.{digits}g}".removesuffix(".")
    else:
        mantissa, _, power = f"{value:.{digits - 1}e}".partition("e")
        text = f"{mantissa} {_TIMES} 10{str(int(power)).translate(_SUPERSCRIPTS)}"
    return text.replace("-", _MINUS)


def format_quantity(value: float | None, unit: str, digits: int = 3) -> str:
    """Print a number with its unit, as in ``"2.50 s"``."""
    text = format_number(value, digits)
    return f"{text}{_SPACE}{unit}" if unit and text != MISSING else text


def format_interval(interval: tuple[float, float] | None, digits: int = 3) -> str:
    """Print an interval, as in ``"0.310 to 0.620"``; ``""`` where there is none."""
    if interval is None:
        return ""
    low, high = (format_number(bound, digits) for bound in interval)
    return f"{low} to {high}"


def count(n: int, noun: str) -> str:
    """Print a number of things, as in ``"1 subject"`` and ``"12 subjects"``."""
    return f"{format_number(n)} {noun if n == 1 else noun + 's'}"


def _grouped(digits: str) -> str:
    """Group thousands from five digits on, as the SI brochure asks."""
    return digits if len(digits.lstrip("-")) < 5 else f"{int(digits):,}".replace(",", _THIN)
