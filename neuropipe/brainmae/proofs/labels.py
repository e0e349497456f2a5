"""T5 and T6: what is told of simulated subjects whose labels' causes are known."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch

from neuropipe.brainmae.connectomes import SlidingWindowStates, decide
from neuropipe.brainmae.data import Runs, runs_of_arrays
from neuropipe.brainmae.features import BLOCKS, Block, run_blocks
from neuropipe.brainmae.finetuning import (
    FinetuneTask,
    Labelled,
    LinearHead,
    finetune,
    label_decisions,
)
from neuropipe.brainmae.fit import new_model, pretrain
from neuropipe.brainmae.inference import embed
from neuropipe.brainmae.model import BrainMAE
from neuropipe.brainmae.run_connectivity import run_correlations
from neuropipe.brainmae.run_series import Run as Series
from neuropipe.brainmae.segments import Segments
from neuropipe.brainmae.settings import BrainmaeSettings
from neuropipe.simulate.fmri import FmriData, block_onsets, sim_fmri
from neuropipe.simulate.settings import FmriSimulation
from neuropipe.stats.checks import Check, at_least, near
from neuropipe.training.settings import OptimisationSettings

_STATES = FmriSimulation(
    n_subjects=260, duration=600.0, repetition_time=1.0, switching="loadings", y_fc=0.6,
    y_dyn="rate", family_size=1, seed=31,
)  # fmt: skip
_BLOCKS = FmriSimulation(
    n_subjects=260, duration=300.0, repetition_time=1.0, switching="none", y_fc=0.0, y_block=2.5,
    n_blocks=4, family_size=1, seed=32,
)  # fmt: skip
_N_TEST = 80
_N_LABELLED, _N_DRAWS = 32, 3
_RESPONSE = (3.0, 36.0)  # s after the onset of a block of 30 s, within which its response lies


@dataclass(frozen=True)
class Cohort:
    """Simulated subjects, the first ones to train on.

    Parameters
    ----------
    runs : Runs
    labels : dict of str to array of int of shape (n_subjects,)
    train, test : array of int
    """

    runs: Runs
    labels: dict[str, np.ndarray]
    train: np.ndarray
    test: np.ndarray


def cohort(simulation: FmriSimulation, n_test: int) -> Cohort:
    """Simulate subjects; the last `n_test` are left out."""
    data: FmriData = sim_fmri(simulation)
    steps = [simulation.repetition_time] * simulation.n_subjects
    names = [name for name in data.participants if str(name).startswith("y_")]
    labels = {str(name): data.participants[name].to_numpy().astype(int) for name in names}
    n_train = simulation.n_subjects - n_test
    subjects = np.arange(simulation.n_subjects)
    runs = runs_of_arrays(list(data.bold), steps)
    return Cohort(runs, labels, subjects[:n_train], subjects[n_train:])


def auroc(labels: np.ndarray, decisions: np.ndarray) -> float:
    """Area under the ROC curve."""
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(labels, decisions))


def checks(*, full: bool = False) -> list[Check]:
    """T5 and T6; about four minutes on one core.

    Parameters
    ----------
    full : bool
        The same checks either way.
    """
    del full
    return [*_labels(), *_attention()]


def _settings(steps: int, **more: object) -> BrainmaeSettings:
    training = OptimisationSettings(
        learning_rate=8e-3, batch_size=4, max_steps=steps, steps_per_epoch=steps, patience=0,
        threads=1,
    )  # fmt: skip
    return BrainmaeSettings.model_validate(
        {"pretraining": training.model_dump(), "validation_share": 0.0, **more}
    )


def _tuning(steps: int, rate: float) -> dict[str, object]:
    return OptimisationSettings(
        learning_rate=rate, batch_size=8, max_steps=steps, steps_per_epoch=steps, patience=0,
        threads=1,
    ).model_dump()  # fmt: skip


def _features(model: BrainMAE, runs: Runs, settings: BrainmaeSettings) -> dict[Block, np.ndarray]:
    size = settings.segments.n_segments
    found = [
        embed(model, runs.segments(i, settings.segments), size).blocks
        for i in range(len(runs.runs))
    ]
    return {name: np.stack([blocks[name] for blocks in found]) for name in BLOCKS}


def _probe(
    blocks: dict[Block, np.ndarray], data: Cohort, labels: np.ndarray, pool: tuple[Block, ...]
) -> float:
    """AUROC of a linear head on frozen features."""
    targets = 2.0 * labels[data.train, None] - 1
    of_training = {name: block[data.train] for name, block in blocks.items()}
    head = LinearHead(of_training, pool, targets, np.ones(len(targets)))
    tested = {name: torch.from_numpy(block[data.test]) for name, block in blocks.items()}
    return auroc(labels[data.test], head(tested)[:, 0].detach().numpy())


def _labels() -> list[Check]:
    data = cohort(_STATES, _N_TEST)
    settings = _settings(300, finetuning=_tuning(30, 2e-4))
    model = pretrain(data.runs.select(data.train), settings, seed=0).model
    blocks = _features(model, data.runs, settings)
    z = run_correlations(data.runs)
    series = [Series(data.runs.values(i), 1 / _STATES.repetition_time) for i in range(len(z))]
    states = SlidingWindowStates().fit([series[i] for i in data.train]).transform(series)

    def linear(features: np.ndarray, labels: np.ndarray) -> float:
        found = decide(features[data.train], labels[data.train], features[data.test])
        return auroc(labels[data.test], found)

    y_fc, y_dyn = data.labels["y_fc"], data.labels["y_dyn"]
    fc_of_fc, fc_of_dyn = linear(z, y_fc), linear(z, y_dyn)
    windows = linear(states, y_dyn)
    ours_fc, ours_dyn = (_probe(blocks, data, y, settings.pool) for y in (y_fc, y_dyn))
    rng = np.random.default_rng(0)
    shuffled = [_probe(blocks, data, rng.permutation(y_dyn), settings.pool) for _ in range(20)]
    gain, said = _few_labels(model, data, y_dyn, settings)
    about = f"{len(data.train)} training and {len(data.test)} left-out subjects of 600 s"
    return [
        at_least(
            "T5 y_fc: AUROC of frozen BrainMAE",
            ours_fc,
            fc_of_fc - 0.02,
            f"{about}; FC and logistic regression {fc_of_fc:.3f}",
        ),
        at_least(
            "T5 y_dyn: AUROC of frozen BrainMAE",
            ours_dyn,
            fc_of_dyn + 0.15,
            f"FC and logistic regression {fc_of_dyn:.3f}: its averaged covariance is matched",
        ),
        at_least(
            "T5 y_dyn: the same beside sliding-window states",
            ours_dyn,
            windows,
            "k-means of windowed FC, transitions and dwell times, logistic regression",
        ),
        near("T5 permuted labels: mean AUROC", float(np.mean(shuffled)), 0.5, 0.05, "20 shuffles"),
        at_least(f"T5 y_dyn, {_N_LABELLED} labels: gain over from scratch", gain, 1e-9, said),
    ]


def _few_labels(
    model: BrainMAE, data: Cohort, labels: np.ndarray, settings: BrainmaeSettings
) -> tuple[float, str]:
    """Mean gain in AUROC of fine-tuning the pretrained over the untrained network."""
    rng = np.random.default_rng(1)
    test = data.runs.select(data.test)
    found = []
    for draw in range(_N_DRAWS):
        chosen = rng.permutation(data.train)[:_N_LABELLED]
        given = Labelled(labels[chosen], 2)
        row = []
        for start in (model, new_model(data.runs, settings, seed=draw)):
            task = finetune(start, data.runs.select(chosen), given, settings, seed=draw)
            row.append(auroc(labels[data.test], label_decisions(task, test)))
        found.append(row)
    mean = np.mean(found, axis=0)
    said = f"fine-tuned {mean[0]:.3f}, from scratch {mean[1]:.3f}, means of {_N_DRAWS} draws"
    return float(mean[0] - mean[1]), said


def _attention() -> list[Check]:
    from scipy.stats import spearmanr

    data = cohort(_BLOCKS, _N_TEST)
    settings = _settings(250, pool=("token",), head_lr_scale=5.0, finetuning=_tuning(150, 1e-3))
    labels = data.labels["y_block"]
    model = pretrain(data.runs.select(data.train), settings, seed=0).model
    training = data.runs.select(data.train)
    task = finetune(model, training, Labelled(labels[data.train], 2), settings, seed=0)
    test = data.runs.select(data.test)
    told = auroc(labels[data.test], label_decisions(task, test))
    segments = [test.segments(i, settings.segments) for i in range(len(test.runs))]
    size = settings.segments.n_segments
    attention = np.mean([embed(task.model, s, size).attention for s in segments], axis=0)
    occlusion = np.mean([occluded(task, s) for s in segments], axis=0)
    task_segments = within_blocks(_BLOCKS, settings, len(attention))
    return [
        at_least("T6 y_block: AUROC of the fine-tuned token", told, 0.7, "what is interpreted"),
        at_least(
            "T6 attention rollout: AUC of task segments",
            auroc(task_segments, attention),
            0.8,
            f"mean over {len(segments)} left-out subjects; AUC of occlusion "
            f"{auroc(task_segments, occlusion):.3f}",
        ),
        at_least(
            "T6 attention and occlusion: Spearman over segments",
            float(spearmanr(attention, occlusion).statistic),
            0.5,
            "change of the decision when a segment is left out",
        ),
    ]


def within_blocks(
    simulation: FmriSimulation, settings: BrainmaeSettings, n_segments: int
) -> np.ndarray:
    """Whether the middle of each segment lies within the response to a task block."""
    middle = (np.arange(n_segments) + 0.5) * settings.segments.duration
    low, high = _RESPONSE
    after = middle[:, None] - block_onsets(simulation)
    return np.asarray(((after >= low) & (after < high)).any(axis=1))


@torch.no_grad()
def occluded(task: FinetuneTask, segments: Segments) -> np.ndarray:
    """Change of a run's decision when each segment is left out, shape (n_segments,)."""

    def decision(valid: torch.Tensor) -> float:
        part = replace(segments, valid=valid, present=segments.present & valid[..., None])
        encoded = task.model.encode(part.x, part.present, part.valid, part.start)
        out = task.head(run_blocks(encoded.rois, encoded.run, part.valid))
        return float(out[0, 1] - out[0, 0])

    whole = decision(segments.valid)
    found = []
    for k in range(segments.valid.shape[1]):
        valid = segments.valid.clone()
        valid[0, k] = False
        found.append(abs(decision(valid) - whole))
    return np.array(found)
