"""The proofs on alignment and abstraction pass, and can fail."""

from __future__ import annotations

import numpy as np
import pytest

from neuropipe.stats.checks import failures
from neuropipe.trsa.geometry.generalisation import Generalisation
from neuropipe.trsa.geometry.kernels import kernel_alignment, linear_kernel
from neuropipe.trsa.geometry.proofs import abstraction


@pytest.fixture(scope="module")
def points() -> dict[tuple[str, str], np.ndarray]:
    """Where trained networks stand, by activation and task."""
    return {
        (activation, task): abstraction.trained_alignments(activation, task, 1)
        for activation in ("tanh", "relu")
        for task in ("linear", "mixed XOR", "XOR", "parity")
    }


def test_networks_stand_where_theory_says(points, monkeypatch) -> None:
    monkeypatch.setattr(abstraction, "trained_alignments", lambda a, task, n: points[a, task])
    rows = abstraction._networks(1)
    assert len(rows) == 6
    assert not failures(rows)
    assert all("tanh a_in" in row.detail for row in rows)


def test_swapped_nonlinearities_are_found_out(points, monkeypatch) -> None:
    swapped = {"tanh": "relu", "relu": "tanh"}
    monkeypatch.setattr(
        abstraction, "trained_alignments", lambda a, task, n: points[swapped[a], task]
    )
    assert len(failures(abstraction._networks(1))) >= 4


def test_a_box_is_factorised() -> None:
    assert not failures(abstraction._factorised(2))


def test_a_bent_box_is_found_out(monkeypatch) -> None:
    planted = abstraction.factorised_geometry

    def bent(n_variables, n_units, rng):
        return planted(n_variables, n_units, rng) + 0.1 * rng.standard_normal(
            (2**n_variables, n_units)
        )

    monkeypatch.setattr(abstraction, "factorised_geometry", bent)
    assert any("parallelism" in row.name for row in failures(abstraction._factorised(1)))


def test_random_codes_pass_and_a_biased_measure_does_not(monkeypatch) -> None:
    assert not failures(abstraction._random(16))
    monkeypatch.setattr(
        abstraction,
        "cross_condition_generalisation",
        lambda values, signs: Generalisation(np.full((3, 1), 0.7), np.full(3, 16)),
    )
    assert [row.name for row in failures(abstraction._random(4))].count(
        "random: CCGP of the variables"
    ) == 1


def test_spikes_pass_and_plain_kernels_do_not(monkeypatch) -> None:
    assert not failures(abstraction._spikes(3))
    found = abstraction.spike_alignments

    def uncorrected(seed):
        truth, _, plain = found(seed)
        return truth, plain, plain

    monkeypatch.setattr(abstraction, "spike_alignments", uncorrected)
    assert len(failures(abstraction._spikes(2))) == 1


def test_alignments_are_points_of_the_plane(points) -> None:
    for found in points.values():
        assert found.shape == (1, 2)
        assert ((found > 0) & (found <= 1)).all()


def test_truth_of_the_spikes_is_that_of_a_box() -> None:
    truth = abstraction.spike_alignments(0)[0]
    variables = abstraction.conditions(3)
    expected = kernel_alignment(linear_kernel(variables), linear_kernel(variables[:, 0]))
    assert truth == pytest.approx(expected)
