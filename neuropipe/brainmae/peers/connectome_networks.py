"""Labels from connectivity matrices by neural networks: what deep learning adds to a linear model.

Axis legend: r runs, b runs of a batch, n ROIs, c outputs.
"""

from __future__ import annotations

import hashlib
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from neuropipe.brainmae.peers.connectome_layers import BrainNetCNN, GraphTransformer
from neuropipe.errors import InputError, UnfitRecordingError
from neuropipe.training.settings import OptimisationSettings
from neuropipe.training.task import TrainingTask
from neuropipe.training.trainer import train

__all__ = ["ConnectomeTask", "LabelScale", "MatrixScale", "predict_from_connectomes"]

Kind = Literal["cnn", "graph"]
_CHUNK = 64  # matrices that are looked at together when predicting


class MatrixScale:
    """Bring edges to unit variance, all by the same factor; training matrices tell it.

    Parameters
    ----------
    matrices : array of shape (n_runs, n, n)
        Of the training runs; the diagonal is not looked at.
    centre : bool
        Whether each edge is centred first.

    Raises
    ------
    InputError
        If an edge is missing, or the matrices are all the same (all 0, without `centre`).
    """

    def __init__(self, matrices: np.ndarray, *, centre: bool) -> None:
        kept = _without_diagonal(matrices)
        n = matrices.shape[1]
        self.mean = kept.mean(axis=0) if centre else np.zeros((n, n))
        variance = float(((kept - self.mean) ** 2).sum()) / (len(kept) * n * (n - 1))
        if variance == 0:
            raise InputError(
                f"{len(matrices)} connectivity matrices that are all the same",
                "matrices that differ between runs",
                "add training runs",
            )
        self.sd = variance**0.5

    def __call__(self, matrices: np.ndarray) -> Tensor:
        """Scaled matrices with 0 on the diagonal, shape (n_runs, n, n), float32."""
        scaled = (_without_diagonal(matrices) - self.mean) / self.sd
        return torch.from_numpy(scaled.astype(np.float32))


class LabelScale:
    """Labels as a network is trained on them, and its outputs as decisions.

    Parameters
    ----------
    values : array of shape (n_runs,)
        Of the training runs: class numbers 0, 1, ..., or numbers in the target's unit.
    n_classes : int
        0 for regression.

    Raises
    ------
    UnfitRecordingError
        If a class has no run, or all numbers are the same.

    Notes
    -----
    Classes weigh the same in the loss, whatever their size; numbers are standardised.
    """

    def __init__(self, values: np.ndarray, n_classes: int) -> None:
        self.n_classes, self.n_outputs = n_classes, max(n_classes, 1)
        self.centre, self.spread = 0.0, 1.0
        self.weights = torch.ones(self.n_outputs)
        if n_classes:
            count = np.bincount(np.asarray(values, dtype=int), minlength=n_classes)
            if count.min() == 0:
                raise UnfitRecordingError(
                    f"class {int(count.argmin())} has no training run",
                    "runs of every class",
                    "add runs, or leave the target out",
                )
            weights = len(values) / (n_classes * count)
            self.weights = torch.tensor(weights, dtype=torch.float32)
            return
        self.centre, self.spread = float(np.mean(values)), float(np.std(values))
        if self.spread == 0:
            raise UnfitRecordingError(
                "the same number in all training runs",
                "numbers that differ",
                "leave the target out",
            )

    def __call__(self, values: np.ndarray) -> Tensor:
        """Labels to train on, shape (n_runs,)."""
        if self.n_classes:
            return torch.tensor(np.asarray(values), dtype=torch.long)
        scaled = (np.asarray(values) - self.centre) / self.spread
        return torch.tensor(scaled, dtype=torch.float32)

    def loss(self, outputs: Tensor, labels: Tensor) -> Tensor:
        """Cross-entropy of classes, squared error of standardised numbers.

        Parameters
        ----------
        outputs : tensor of shape (b, c)
        labels : tensor of shape (b,)
        """
        if self.n_classes:
            weights = self.weights.to(outputs.device)
            return functional.cross_entropy(outputs.float(), labels, weight=weights)
        return (outputs[:, 0].float() - labels).square().mean()

    def decisions(self, outputs: np.ndarray) -> np.ndarray:
        """Decision values, or numbers in the target's unit.

        Parameters
        ----------
        outputs : array of shape (n_runs, c)

        Returns
        -------
        array of shape (n_runs,) or (n_runs, n_classes)
            For two classes one column, above 0 for the second.
        """
        if not self.n_classes:
            return np.asarray(outputs[:, 0] * self.spread + self.centre)
        return np.asarray(outputs[:, 1] - outputs[:, 0]) if self.n_classes == 2 else outputs


class ConnectomeTask(TrainingTask):
    """Tell labels from connectivity matrices.

    Parameters
    ----------
    network : nn.Module
        From (b, n, n) to (b, c).
    matrices : tensor of shape (n_runs, n, n)
        Scaled.
    labels : tensor of shape (n_runs,)
    scale : LabelScale
    """

    def __init__(
        self, network: nn.Module, matrices: Tensor, labels: Tensor, scale: LabelScale
    ) -> None:
        super().__init__()
        self.network, self.scale = network, scale
        self.matrices, self.labels = matrices, labels

    def draw(self, step: int, size: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Random runs."""
        del step
        chosen = torch.randint(len(self.labels), (size,), generator=generator)
        return self.matrices[chosen].to(self.device), self.labels[chosen].to(self.device)

    def loss(self, batch: tuple[Tensor, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """See `LabelScale.loss`."""
        matrices, labels = batch
        return self.scale.loss(self.network(matrices), labels), {}

    def validate(self) -> dict[str, float]:
        """Nothing: labelled subjects are too few to stop early on some of them."""
        return {}

    def fingerprint(self) -> str:
        """Matrices and labels."""
        digest = hashlib.sha256(self.matrices.numpy().tobytes())
        digest.update(self.labels.numpy().tobytes())
        return digest.hexdigest()


def predict_from_connectomes(
    kind: Kind,
    train_fc: np.ndarray,
    train_targets: np.ndarray,
    test_fc: np.ndarray,
    *,
    n_classes: int,
    settings: OptimisationSettings,
    seed: int,
) -> np.ndarray:
    """Train a network on connectivity matrices and predict the labels of other runs.

    Parameters
    ----------
    kind : {"cnn", "graph"}
        `BrainNetCNN` or `GraphTransformer`.
    train_fc : array of shape (n_train, n, n)
        Fisher's z of correlations; the diagonal is not looked at.
    train_targets : array of shape (n_train,)
        Class numbers 0, 1, ..., or numbers in the target's unit.
    test_fc : array of shape (n_test, n, n)
    n_classes : int
        0 for regression.
    settings : OptimisationSettings
        About 150 steps of 16 runs with a learning rate of 1e-3 suit cohorts of 100 to 1000.
    seed : int
        Of weights, batches and dropout.

    Returns
    -------
    array of shape (n_test,) or (n_test, n_classes)
        See `LabelScale.decisions`; what `neuropipe.stats.prediction.score_decisions` scores.

    Raises
    ------
    InputError
        If an edge is missing, or the training matrices are all the same.
    UnfitRecordingError
        If a class has no training run, or all numbers are the same.
    """
    # The transformer tells ROIs by their rows, which centring would take away.
    matrices = MatrixScale(train_fc, centre=kind == "cnn")
    labels = LabelScale(train_targets, n_classes)
    build = BrainNetCNN if kind == "cnn" else GraphTransformer
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = build(train_fc.shape[1], labels.n_outputs)
    task = ConnectomeTask(network, matrices(train_fc), labels(train_targets), labels)
    train(task, settings, seed=seed, monitor=None, scratch=None, progress=False)
    asked, parts = matrices(test_fc), []
    with torch.no_grad():
        for i in range(0, len(asked), _CHUNK):
            parts.append(network(asked[i : i + _CHUNK].to(task.device)).float().cpu())
    return labels.decisions(torch.cat(parts).numpy())


def _without_diagonal(matrices: np.ndarray) -> np.ndarray:
    """The same with 0 on the diagonal, as float64."""
    kept = np.array(matrices, dtype=np.float64)
    kept[:, np.arange(kept.shape[1]), np.arange(kept.shape[1])] = 0.0
    if not np.isfinite(kept).all():
        raise InputError(
            "connectivity matrices hold missing values",
            "finite values off the diagonal",
            "leave those runs out",
        )
    return kept
