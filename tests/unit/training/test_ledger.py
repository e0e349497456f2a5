"""The ledger averages numbers and notices what is not finite, at every pace of checking."""

from __future__ import annotations

import pytest
import torch

from neuropipe.training.errors import TrainingError
from neuropipe.training.ledger import Ledger


def test_means_of_an_epoch() -> None:
    ledger = Ledger()
    for step in range(4):
        numbers = {"even": 1.0} if step % 2 == 0 else {"odd": torch.tensor(step)}
        ledger.add_loss(step, torch.tensor(float(step)), numbers)
        ledger.add_norm(step, torch.tensor(2.0))
    means = ledger.means()
    assert means == {"train_loss": 1.5, "train_even": 1.0, "train_odd": 2.0, "gradient_norm": 2.0}
    assert ledger.means() == {}


@pytest.mark.parametrize("pace", [1, 3, 50])
@pytest.mark.parametrize("value", ["nan", "inf", "-inf"])
@pytest.mark.parametrize("what", ["loss", "norm"])
def test_the_first_bad_step_is_named(pace: int, value: str, what: str) -> None:
    ledger, steps = Ledger(pace), []

    def run() -> None:
        for step in range(20):
            steps.append(step)
            bad = torch.tensor(float(value) if step >= 7 else 1.0)
            ledger.add_loss(step, bad if what == "loss" else torch.tensor(1.0), {})
            ledger.add_norm(step, bad if what == "norm" else torch.tensor(1.0))
        ledger.check()

    with pytest.raises(TrainingError, match=f"step 7 is {value}"):
        run()
    # told at the end of the stretch it happened in
    assert steps[-1] == {1: 7, 3: 8, 50: 19}[pace]


def test_values_do_not_keep_the_graph() -> None:
    ledger, weight = Ledger(9), torch.ones(1, requires_grad=True)
    ledger.add_loss(0, (weight * 2).sum(), {"x": weight.sum()})
    kept = [value for _, value in ledger._losses]
    assert not any(value.requires_grad for value in kept)
    assert ledger.means() == {"train_loss": 2.0, "train_x": 1.0}
