from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuropipe.report.numbers import (
    count,
    format_beside,
    format_column,
    format_interval,
    format_number,
    format_quantity,
)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "\u2013"),
        (math.nan, "\u2013"),
        (math.inf, "\u2013"),
        (0.0, "0"),
        (530.0, "530"),
        (4005, "4005"),
        (18204, "18\u202f204"),
        (-12.04, "\u221212.0"),
        (0.5, "0.500"),
        (999.7, "1000"),
        (123456.7, "123\u202f457"),
        (0.0000312, "3.12 \u00d7 10⁻⁵"),
        (2.5e9, "2.50 \u00d7 10⁹"),
        (-1e-12, "\u22121.00 \u00d7 10⁻¹²"),
    ],
)
def test_numbers_print_as_in_a_paper(value: float | None, text: str) -> None:
    assert format_number(value) == text


MAGNITUDES = st.floats(1e-300, 1e300)


@given(st.one_of(MAGNITUDES, MAGNITUDES.map(lambda x: -x), st.just(0.0)), st.integers(2, 8))
def test_a_printed_number_reads_back_within_its_digits(value: float, digits: int) -> None:
    text = format_number(value, digits).replace("\u202f", "").replace("\u2212", "-")
    mantissa, _, power = text.partition(" \u00d7 10")
    exponent = power.translate(str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789"))
    back = float(f"{mantissa}e{exponent or 0}")
    assert back == pytest.approx(value, rel=0.51 * 10 ** (1 - digits), abs=0)


def test_a_unit_stays_with_its_number() -> None:
    assert format_quantity(2.5, "s") == "2.50\u00a0s"
    assert format_quantity(None, "s") == "\u2013"
    assert format_interval((-0.1, 0.62)) == "\u22120.100 to 0.620"
    assert format_interval(None) == ""


def test_numbers_of_a_column_share_their_decimals() -> None:
    assert format_column([0.197, 1.11e-5, None, 0.0, -0.0123, -1e-6]) == [
        "0.197", "0.000", "", "0", "\u22120.012", "0.000",
    ]  # fmt: skip
    assert format_column([530.0, 12.0, None]) == ["530", "12", ""]
    assert format_column([12345.6, 1.5]) == ["12\u202f346", "2"]
    assert format_column([math.nan, 0.5]) == ["\u2013", "0.500"]
    assert format_column([3e-5, 2e-9])[0] == format_number(3e-5)
    assert format_column([]) == []


@given(st.lists(st.floats(1e-3, 9e5), min_size=1, max_size=8), st.integers(2, 6))
def test_a_column_keeps_the_order_and_the_digits_of_its_largest(
    values: list[float], digits: int
) -> None:
    texts = [t.replace("\u202f", "") for t in format_column(values, digits)]
    back = [float(t) for t in texts]
    assert [back[i] for i in sorted(range(len(values)), key=values.__getitem__)] == sorted(back)
    assert max(back) == pytest.approx(max(values), rel=0.51 * 10 ** (1 - digits))
    assert len({len(t.partition(".")[2]) for t in texts}) == 1


def test_a_small_number_takes_the_decimals_of_the_larger_beside_it() -> None:
    assert format_beside(-0.000145, 0.387) == "0.000"
    assert format_beside(0.166, 0.442) == "0.166"
    assert format_beside(121, 69.7) == "121"
    assert format_beside(0.0, 0.387) == "0"
    assert format_beside(0.000145, None) == format_number(0.000145)
    assert format_interval((1.1e-5, 0.197)) == "0.000 to 0.197"


def test_counts_know_their_plural() -> None:
    assert [count(n, "subject") for n in (0, 1, 12)] == ["0 subjects", "1 subject", "12 subjects"]
