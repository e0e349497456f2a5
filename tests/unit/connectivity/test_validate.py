"""The proof itself: every claim holds on simulated truth."""

from __future__ import annotations

import pytest

from neuropipe.connectivity.validate import checks
from neuropipe.stats.checks import failures


@pytest.mark.slow
def test_all_claims_hold():
    rows = checks()
    assert len(rows) >= 12
    assert failures(rows) == []
    assert len({row.name for row in rows}) == len(rows)
