"""Numbers as a paper prints them: significant digits, true minus signs, powers of ten."""

from __future__ import annotations

import math
from collections.abc import Sequence

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


def format_beside(value: float | None, other: float | None, digits: int = 3) -> str:
    """Print a number that stands beside a larger one to the decimals of that.

    Parameters
    ----------
    value, other : float or None
        A chance of 0.000229 beside a score of 0.387 prints as ``"0.000"``; a larger number, and
        one beside nothing, keeps its own digits.
    digits : int
        Significant digits of the larger number.
    """
    if value is None or other is None or not abs(value) < abs(other):
        return format_number(value, digits)
    return format_column([value, other], digits)[0]


def format_column(values: Sequence[float | None], digits: int = 3) -> list[str]:
    """Print numbers that are compared with each other to the same decimals.

    Parameters
    ----------
    values : sequence of float or None
        None prints as ``""``.
    digits : int
        Significant digits of the largest; whole numbers stay whole, and very large or very small
        ones are printed one by one.
    """
    known = [v for v in values if v is not None and math.isfinite(v)]
    largest = max(map(abs, known), default=0.0)
    if all(v == int(v) for v in known) or not 1e-3 <= largest < 1e6:
        return ["" if v is None else format_number(v, digits) for v in values]
    decimals = max(0, digits - 1 - math.floor(math.log10(largest)))
    return ["" if v is None else _fixed(v, decimals) for v in values]


def format_interval(interval: tuple[float, float] | None, digits: int = 3) -> str:
    """Print an interval, as in ``"0.310 to 0.620"``; ``""`` where there is none."""
    return "" if interval is None else " to ".join(format_column(interval, digits))


def count(n: int, noun: str) -> str:
    """Print a number of things, as in ``"1 subject"`` and ``"12 subjects"``."""
    return f"{format_number(n)} {noun if n == 1 else noun + 's'}"


def _fixed(value: float, decimals: int) -> str:
    if not math.isfinite(value):
        return MISSING
    if value == 0:
        return "0"  # exactly, other than 0.000
    rounded = round(value, decimals) or 0.0  # no minus before zero
    whole, point, rest = f"{rounded:.{decimals}f}".partition(".")
    return (_grouped(whole) + point + rest).replace("-", _MINUS)


def _grouped(digits: str) -> str:
    """Group thousands from five digits on, as the SI brochure asks."""
    return digits if len(digits.lstrip("-")) < 5 else f"{int(digits):,}".replace(",", _THIN)
