"""What the bootstrap benchmark times: the same numbers on the same draws."""

from __future__ import annotations

import numpy as np
import pytest

from neuropipe.benchmarks import trsa_inference
from neuropipe.benchmarks.trsa_inference import BootstrapCase, bootstrap_rows, largest_difference

pytest.importorskip("rsatoolbox")

TINY = BootstrapCase(n_subjects=4, n_conditions=8, n_models=2, n_draws=6, n_peer_draws=3)


def test_rows_say_what_was_timed() -> None:
    rows = bootstrap_rows(quick=True)
    assert [row.task.split(":")[0] for row in rows] == [
        "dual bootstrap, corr",
        "dual bootstrap, rho-a",
    ]
    for row in rows:
        assert "timed on 2 draws and scaled" in row.peer
        assert float(row.task.split()[-1]) < 1e-8
        assert row.ratio == pytest.approx(row.ours / row.theirs)
        assert 0 < row.ratio_low <= row.ratio <= row.ratio_high


@pytest.mark.parametrize("measure", ["corr", "rho-a", "cosine", "spearman"])
def test_numbers_are_those_of_the_peer_on_its_draws(measure: str) -> None:
    assert largest_difference(TINY, measure) < 1e-8


def test_other_draws_would_be_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    peer = trsa_inference._theirs

    def in_reverse(case: BootstrapCase, measure: str) -> tuple[np.ndarray, np.ndarray]:
        scores, ceilings = peer(case, measure)
        return scores[::-1], ceilings

    monkeypatch.setattr(trsa_inference, "_theirs", in_reverse)
    assert largest_difference(TINY, "corr") > 0.01


def test_the_peers_time_is_scaled_to_all_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trsa_inference, "timed", lambda _: (2.0, 3.0))
    row = trsa_inference._row(TINY, "corr", 2)
    assert (row.ours, row.ours_cpu, row.theirs, row.theirs_cpu) == (2.0, 3.0, 4.0, 6.0)
    assert row.ratio == 0.5
