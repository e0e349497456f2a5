"""Names and paths that come from files never climb out of their folder."""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuropipe.errors import InputError, one_line
from neuropipe.names import check_name, check_relative


@given(st.text(max_size=30))
def test_an_accepted_name_is_one_harmless_part(name: str) -> None:
    try:
        accepted = check_name(name, "subject")
    except InputError:
        return
    assert PurePosixPath(accepted).parts == (accepted,)
    assert accepted.isascii()
    assert accepted[0].isalnum()


@pytest.mark.parametrize(
    "name", ["../x", "a/b", "", "-rf", ".hidden", "a\nb", "x" * 101, None, 1, "ü"]
)
def test_refused_names(name: object) -> None:
    with pytest.raises(InputError, match="letters, digits"):
        check_name(name, "subject")


@given(st.text(max_size=30))
def test_an_accepted_path_stays_below(path: str) -> None:
    try:
        accepted = check_relative(path, "file")
    except InputError:
        return
    assert not PurePosixPath(accepted).is_absolute()
    assert ".." not in PurePosixPath(accepted).parts


@given(st.text(max_size=2000))
def test_errors_are_one_printable_line(text: str) -> None:
    line = one_line(text)
    assert len(line) <= 600
    assert line.isprintable()
