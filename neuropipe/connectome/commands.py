"""`neuropipe connectome`: a dataset to its connectome, and a recording's share of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from neuropipe.connectome.settings import ConnectomeSettings
from neuropipe.dataset import read_recording, recording_paths
from neuropipe.errors import UnfitRecordingError
from neuropipe.provenance import provenance
from neuropipe.recording import Recording
from neuropipe.results import GROUP, Result, cited
from neuropipe.settings import parse_settings

if TYPE_CHECKING:
    from neuropipe.connectome.result import GroupConnectome

__all__ = ["analyse_group", "analyse_recording", "connectome_group", "connectome_recording"]


def analyse_group(
    recordings: Iterable[Recording],
    dataset: str,
    settings: ConnectomeSettings,
    wiring: Sequence[Path] = (),
) -> Result:
    """Compute the connectome of a dataset, without its provenance.

    Parameters
    ----------
    recordings : iterable of Recording
        Read one at a time.
    dataset : str
    settings : ConnectomeSettings
    wiring : sequence of Path
        Tables of a wiring diagram, in place of those of the settings.

    Returns
    -------
    Result

    Raises
    ------
    UnfitRecordingError
        If no recording can be used, units cannot be matched, or too few are shared with each other
        or with the wiring.
    InputError
        If a wiring table cannot be read.
    """
    from neuropipe.connectome.arrays import group_arrays
    from neuropipe.connectome.assembly import assemble, static_reading
    from neuropipe.connectome.data import build_animals
    from neuropipe.connectome.evaluate_group import group_facts, group_metrics, group_warnings
    from neuropipe.connectome.figures_group import group_figures
    from neuropipe.connectome.fit import fit_connectome
    from neuropipe.connectome.text import REFERENCES, group_methods
    from neuropipe.connectome.wiring_files import read_wiring

    diagram = read_wiring(wiring) if wiring else None
    animals = build_animals(recordings, dataset, settings)
    static = static_reading(animals, diagram, seed=settings.seed)  # before the fit takes its time
    fit = fit_connectome(animals, settings)
    found = assemble(animals, fit, static, settings, diagram)
    methods = group_methods(animals, fit, settings)
    return Result(
        analysis="connectome",
        dataset=dataset,
        recording=GROUP,
        title=f"Dynamic connectome of {animals.noun}s",
        arrays=group_arrays(animals, fit, found),
        metrics=group_metrics(animals, fit, found, settings),
        figures=group_figures(
            animals,
            fit,
            alpha=settings.alpha,
            atlas=found.atlas,
            silencing=found.silencing,
            wiring=found.wiring,
        ),
        methods=methods,
        references=cited(methods, REFERENCES),
        facts=group_facts(animals, fit, found),
        warnings=group_warnings(animals, fit, found, settings),
    )


def connectome_group(
    *,
    lock: Path,
    dataset: str,
    recordings: Path,
    settings: str,
    output: Path,
    wiring: Sequence[Path] = (),
) -> None:
    """Compute the connectome of a dataset and write its result folder.

    Parameters
    ----------
    lock : Path
        The dataset's lock table.
    dataset : str
        Name in the manifest.
    recordings : Path
        Folder that holds ``<recording>.nc`` for every recording of the lock.
    settings : str
        `ConnectomeSettings` as JSON; ``""`` for the defaults.
    output : Path
        The result folder; replaced when it exists.
    wiring : sequence of Path
        Tables of a wiring diagram; default: those that the settings name, from the working folder.

    Raises
    ------
    NeuropipeError
        If a recording, the lock, the wiring or a setting is wrong; then nothing is written.
    """
    chosen = parse_settings(ConnectomeSettings, settings, f"connectome settings of {dataset}")
    tables = list(wiring) or [Path(path) for path in chosen.wiring]
    chosen = chosen.model_copy(update={"wiring": tuple(str(path) for path in tables)})
    paths = recording_paths(lock, dataset, recordings)
    found = (read_recording(path, dataset) for path in paths)
    result = analyse_group(found, dataset, chosen, tables)
    result.provenance = provenance(
        [lock, *paths, *tables], settings=chosen.model_dump(mode="json"), seed=chosen.seed
    )
    result.write(output)


def analyse_recording(
    recording: str, group: GroupConnectome, settings: ConnectomeSettings
) -> Result:
    """Read what a dataset's connectome says of one recording, without its provenance.

    Parameters
    ----------
    recording : str
        Its name.
    group : GroupConnectome
    settings : ConnectomeSettings

    Returns
    -------
    Result

    Raises
    ------
    UnfitRecordingError
        If the recording is no part of the dataset's connectome.
    """
    from neuropipe.connectome.evaluate import (
        recording_arrays,
        recording_facts,
        recording_metrics,
        recording_warnings,
    )
    from neuropipe.connectome.figures import recording_figures
    from neuropipe.connectome.recording import recording_connectome
    from neuropipe.connectome.text import REFERENCES, recording_methods

    if recording not in group.recordings:
        raise _left_out(recording, group)
    place = group.recordings.index(recording)
    found = recording_connectome(
        group.factors,
        place,
        group.presence,
        group.seconds,
        int(group.lengths[place]),
        group.degree_corrected,
        settings,
    )
    methods = recording_methods(found, group.noun, settings)
    return Result(
        analysis="connectome",
        dataset=group.dataset,
        recording=recording,
        subject=group.subjects[place],
        title=f"Dynamic connectome of {group.noun}s",
        arrays=recording_arrays(group, found),
        metrics=recording_metrics(group, found, settings.seed),
        figures=recording_figures(
            group.names, found, group.subjects, group.noun, group.events_of(recording)
        ),
        methods=methods,
        references=cited(methods, REFERENCES),
        facts=recording_facts(group, found),
        warnings=recording_warnings(group, found),
    )


def _left_out(recording: str, group: GroupConnectome) -> UnfitRecordingError:
    said = next((words for words in group.warnings if recording in words), "")
    why = f" ({said.rstrip('.')})" if said else ""
    return UnfitRecordingError(
        f"recording {recording} is no part of the connectome of {group.dataset}{why}",
        f"one of its {len(group.recordings)} recordings",
        "take the recording out of the dataset, or set analyses: {connectome: false}",
    )


def connectome_recording(*, recording: str, group: Path, settings: str, output: Path) -> None:
    """Read one recording's share of its dataset's connectome and write its result folder.

    Parameters
    ----------
    recording : str
        Its name in the lock.
    group : Path
        Result folder of `connectome_group`.
    settings : str
        `ConnectomeSettings` as JSON; ``""`` for the defaults.
    output : Path
        The result folder; replaced when it exists.

    Raises
    ------
    NeuropipeError
        If the recording, the dataset's result or a setting is wrong; then nothing is written.
    """
    from neuropipe.connectome.result import GroupConnectome

    chosen = parse_settings(ConnectomeSettings, settings, f"connectome settings of {recording}")
    result = analyse_recording(recording, GroupConnectome.read(group), chosen)
    result.provenance = provenance(
        [group / "result.nc"], settings=chosen.model_dump(mode="json"), seed=chosen.seed
    )
    result.write(output)
