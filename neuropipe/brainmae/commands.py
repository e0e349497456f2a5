"""`neuropipe brainmae`: pretrain, fine-tune, and the results of a recording and of a dataset."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from neuropipe.atomic import atomic_file, atomic_folder
from neuropipe.brainmae.names import FINAL
from neuropipe.brainmae.settings import BrainmaeSettings
from neuropipe.dataset import read_recording, recording_paths
from neuropipe.errors import SettingsError, UnfitRecordingError
from neuropipe.provenance import provenance
from neuropipe.recording import Recording
from neuropipe.settings import parse_settings
from neuropipe.training.weights import CARD

if TYPE_CHECKING:
    from neuropipe.brainmae.data import Runs

__all__ = ["brainmae_finetune", "brainmae_group", "brainmae_pretrain", "brainmae_recording"]


def _chosen(settings: str, dataset: str) -> BrainmaeSettings:
    return parse_settings(BrainmaeSettings, settings, f"brainmae settings of {dataset}")


@contextmanager
def _runs(
    sources: Sequence[tuple[str, Sequence[Path]]],
    settings: BrainmaeSettings,
    units: Sequence[str] | None = None,
) -> Iterator[Runs]:
    """Runs of datasets, memory-mapped in a temporary folder."""
    from neuropipe.brainmae.data import read_runs

    def recordings() -> Iterator[Recording]:
        for dataset, paths in sources:
            for path in paths:
                yield read_recording(path, dataset)

    with tempfile.TemporaryDirectory(prefix="brainmae-") as folder:
        yield read_runs(recordings, settings, Path(folder), units=units)


def brainmae_pretrain(
    *,
    dataset: str,
    model: str,
    lock: Path,
    recordings: Path,
    settings: str,
    output: Path,
    scratch: Path | None = None,
    more: Sequence[tuple[Path, Path]] = (),
    weights: Path | None = None,
) -> None:
    """Pretrain one model of a dataset and write its folder.

    Parameters
    ----------
    dataset : str
        Name in the manifest.
    model : str
        ``final``, or ``seed-<seed>_fold-<fold>``, which leaves that fold's subjects out.
    lock : Path
        The dataset's lock table.
    recordings : Path
        Folder that holds ``<recording>.nc`` for every recording of the lock.
    settings : str
        `BrainmaeSettings` as JSON; ``""`` for the defaults.
    output : Path
        The model's folder, see `neuropipe.brainmae.store`; replaced when it exists.
    scratch : Path, optional
        Where an interrupted training is kept, and taken up again.
    more : sequence of (Path, Path)
        Lock and recordings of the datasets that join pretraining.
    weights : Path, optional
        Model of another dataset that is used as it is, instead of training one.

    Raises
    ------
    NeuropipeError
        If a recording, a setting or the weights do not fit; then nothing is written.
    """
    from neuropipe.brainmae.learn import adopt, learn
    from neuropipe.brainmae.store import write_store
    from neuropipe.training.trainer import clear

    chosen = _chosen(settings, dataset)
    sources = [(dataset, recording_paths(lock, dataset, recordings))]
    sources += [(other.stem, recording_paths(other, other.stem, place)) for other, place in more]
    with atomic_folder(output, CARD) as folder, _runs(sources, chosen) as runs:
        if weights is None:
            made = learn(runs, dataset, model, chosen, scratch=scratch, log=folder)
        else:
            made = adopt(weights, runs, dataset, model, chosen)
        write_store(folder, made.model, made.card, made.scores, made.arrays)
    if scratch is not None:
        clear(scratch)


def brainmae_finetune(
    *,
    dataset: str,
    target: str,
    lock: Path,
    recordings: Path,
    models: Path,
    settings: str,
    output: Path,
    scratch: Path | None = None,
) -> None:
    """Predict one target by models that must be trained for it, in the folds of the dataset.

    Parameters
    ----------
    dataset : str
        Name in the manifest.
    target : str
        Column of the participants.
    lock : Path
        The dataset's lock table.
    recordings : Path
        Folder of the recordings.
    models : Path
        Folder of the dataset's models.
    settings : str
        `BrainmaeSettings` as JSON.
    output : Path
        NetCDF file of out-of-fold predictions; replaced when it exists.
    scratch : Path, optional
        Where interrupted trainings are kept.

    Raises
    ------
    NeuropipeError
        If a recording, a setting or the models do not fit; then nothing is written.
    """
    from neuropipe.brainmae.label_models import predict_target
    from neuropipe.training.trainer import clear

    chosen = _chosen(settings, dataset)
    if target not in chosen.targets:
        raise SettingsError(
            f"target {target!r}", f"one of {', '.join(chosen.targets) or 'none'}", "correct it"
        )
    paths = recording_paths(lock, dataset, recordings)
    with _runs([(dataset, paths)], chosen) as runs:
        found = predict_target(runs, dataset, target, models, chosen, scratch=scratch)
    with atomic_file(output) as temporary:
        found.to_netcdf(temporary, engine="h5netcdf")
    if scratch is not None:
        clear(scratch)


def brainmae_recording(*, recording: Path, models: Path, settings: str, output: Path) -> None:
    """Embed one recording and write its result folder.

    Parameters
    ----------
    recording : Path
        File of the Recording.
    models : Path
        Folder of the dataset's models.
    settings : str
        `BrainmaeSettings` as JSON.
    output : Path
        The result folder; replaced when it exists.

    Raises
    ------
    NeuropipeError
        If the recording, a setting or the models do not fit; then nothing is written.
    """
    from neuropipe.brainmae.recording_result import analyse_recording
    from neuropipe.brainmae.store import Stored

    read = Recording.read(recording)
    chosen = _chosen(settings, read.dataset)
    stores = [Stored(path.parent) for path in sorted(models.glob(f"*/{CARD}"))]
    final = next((store for store in stores if store.name == FINAL), None)
    if final is None:
        raise UnfitRecordingError(
            f"{models} holds no model {FINAL}", "pretrained models", "pretrain them first"
        )
    units = final.card["units"]
    with _runs([(read.dataset, [recording])], chosen, units) as runs:
        result = analyse_recording(read, runs, final, stores, chosen)
    result.provenance = provenance(
        [recording, *(store.folder / CARD for store in stores)],
        settings=chosen.model_dump(mode="json"),
        seed=chosen.seeds[0],
    )
    result.write(output)


def brainmae_group(
    *,
    dataset: str,
    lock: Path,
    recordings: Path,
    models: Path,
    settings: str,
    output: Path,
    predictions: Sequence[Path] = (),
) -> None:
    """Put together what BrainMAE says of a dataset and write its result folder.

    Parameters
    ----------
    dataset : str
        Name in the manifest.
    lock : Path
        The dataset's lock table.
    recordings : Path
        Folder of the recordings.
    models : Path
        Folder of the dataset's models.
    settings : str
        `BrainmaeSettings` as JSON.
    output : Path
        The result folder; replaced when it exists.
    predictions : sequence of Path
        Files of `brainmae_finetune`, one a target.

    Raises
    ------
    NeuropipeError
        If a recording, a setting or the models do not fit; then nothing is written.
    """
    from neuropipe.brainmae.group_result import analyse_group
    from neuropipe.brainmae.store import Stored

    chosen = _chosen(settings, dataset)
    paths = recording_paths(lock, dataset, recordings)
    stores = [Stored(path.parent) for path in sorted(models.glob(f"*/{CARD}"))]
    with _runs([(dataset, paths)], chosen) as runs:
        result = analyse_group(runs, dataset, stores, predictions, chosen)
    result.provenance = provenance(
        [lock, *paths, *(store.folder / CARD for store in stores), *predictions],
        settings=chosen.model_dump(mode="json"),
        seed=chosen.seeds[0],
    )
    result.write(output)
