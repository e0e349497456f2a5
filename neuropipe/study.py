"""A study: one folder's manifest, configuration and locks, as the workflow sees them.

The Snakefile builds one `Study` and asks it for names, settings and fingerprints. Nothing here
touches the data: planning reads the manifest, the configuration and the lock tables alone.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property, wraps
from pathlib import Path
from typing import Any, TypeVar

from pydantic import Field

from neuropipe.analyses import ANALYSES, PARTS, QUALITY, Part, reader_modules, simulator_modules
from neuropipe.brainmae.names import Plan
from neuropipe.brainmae.settings import BrainmaeSettings
from neuropipe.connectivity.settings import ConnectivitySettings
from neuropipe.connectome.settings import ConnectomeSettings
from neuropipe.errors import ManifestError, SettingsError
from neuropipe.fingerprint import fingerprint
from neuropipe.ingest.settings import READ_SETTINGS
from neuropipe.manifest import (
    Dataset,
    LockedRecording,
    Manifest,
    PathSource,
    SimulateSource,
    load_manifest,
    read_lock,
    validated,
)
from neuropipe.quality.settings import QualitySettings
from neuropipe.report.settings import ReportSettings
from neuropipe.results import GROUP
from neuropipe.settings import Settings
from neuropipe.trsa.settings import TrsaSettings

T = TypeVar("T")
LOCKS = Path("config/recordings")
RESOURCES = Path("resources")


def _remembered(method: Callable[..., T]) -> Callable[..., T]:
    """Keep a method's answers: Snakemake asks for every ready job whenever a job has finished."""
    name = f"_{method.__name__}_answers"

    @wraps(method)
    def ask(self: Study, *arguments: str | None) -> T:
        answers: dict[tuple[str | None, ...], T] = self.__dict__.setdefault(name, {})
        if arguments not in answers:
            answers[arguments] = method(self, *arguments)
        return answers[arguments]

    return ask


class Config(Settings):
    """The configuration file: defaults of every part, for all datasets."""

    manifest: str = Field(
        default="data_manifest.yaml", description="the data manifest, relative to the study"
    )
    quality: QualitySettings = Field(default=QualitySettings(), description="quality checks")
    connectivity: ConnectivitySettings = Field(
        default=ConnectivitySettings(), description="static functional connectivity"
    )
    brainmae: BrainmaeSettings = Field(
        default=BrainmaeSettings(), description="masked autoencoding of ROI time series"
    )
    connectome: ConnectomeSettings = Field(
        default=ConnectomeSettings(),
        description="dynamic connectome: tensor factorization, block models",
    )
    trsa: TrsaSettings = Field(
        default=TrsaSettings(),
        description="geometry and topology of representations: RDMs, models, identification",
    )
    report: ReportSettings = Field(default=ReportSettings(), description="report pages")


@dataclass(frozen=True, eq=False)
class Study:
    """Manifest, configuration and locks of one study.

    Parameters
    ----------
    config : Config
        Validated configuration.
    manifest : Manifest
        Validated manifest.
    folder : Path
        The manifest's folder; locks and relative data paths start here.
    """

    config: Config
    manifest: Manifest
    folder: Path

    @classmethod
    def load(cls, config: Mapping[str, Any], root: Path = Path()) -> Study:
        """Validate a study's configuration and manifest.

        Parameters
        ----------
        config : mapping
            As Snakemake parsed it.
        root : Path
            The study's folder.

        Raises
        ------
        SettingsError, ManifestError
            Naming the path of the first wrong key.
        """
        checked = validated(Config, dict(config), "config", SettingsError)
        path = root / checked.manifest
        study = cls(checked, load_manifest(path), path.parent)
        for name, dataset in study.datasets.items():
            study.read_settings(name)
            for part in dataset.analyses:
                study.settings(name, part)
            if any(part.name == "brainmae" for part in study.analyses(name)):
                study.check_other_datasets(name)
            if any(part.name == "connectome" for part in study.analyses(name)):
                study.check_files(name, "connectome", "wiring")
            if any(part.name == "trsa" for part in study.analyses(name)):
                study.check_files(name, "trsa", "models")
        return study

    @cached_property
    def datasets(self) -> dict[str, Dataset]:
        """Enabled datasets by name."""
        return {name: d for name, d in self.manifest.datasets.items() if d.enabled}

    def dataset(self, name: str) -> Dataset:
        """Return an enabled dataset.

        Raises
        ------
        ManifestError
            If the manifest enables none of that name.
        """
        if name not in self.datasets:
            raise ManifestError(
                f"dataset {name!r}", f"one of {', '.join(self.datasets) or 'none'}", "enable it"
            )
        return self.datasets[name]

    @cached_property
    def _locks(self) -> dict[str, dict[str, LockedRecording]]:
        locks = {}
        for name in self.datasets:
            recordings = read_lock(self.lock(name), name)
            for found in recordings:
                if found.recording == GROUP:
                    raise ManifestError(
                        f"dataset {name} has a recording named {GROUP!r}",
                        "another name",
                        "rename its file",
                    )
            locks[name] = {found.recording: found for found in recordings}
        return locks

    def lock(self, name: str) -> Path:
        """Path of a dataset's lock table."""
        return self.folder / LOCKS / f"{name}.tsv"

    def root(self, name: str) -> Path:
        """Folder that the paths of a dataset's lock are relative to."""
        source = self.dataset(name).source
        if isinstance(source, PathSource):
            path = self.folder / source.path
            return path.parent if path.is_file() else path
        return RESOURCES / name

    def kind(self, name: str) -> str:
        """Tell whether a dataset is on this machine: ``local``, ``simulated`` or ``remote``."""
        source = self.dataset(name).source
        if isinstance(source, PathSource):
            return "local"
        return "simulated" if isinstance(source, SimulateSource) else "remote"

    @_remembered
    def sources(self, name: str, recording: str) -> list[str]:
        """Files that must lie ready before a recording can be read; none for a local dataset."""
        ready = {
            "local": [],
            "simulated": [f"{RESOURCES}/{name}"],
            "remote": [f"{RESOURCES}/{name}/.fetched/{recording}"],
        }
        return ready[self.kind(name)] + self.atlases(name)

    def datasets_of(self, kind: str) -> list[str]:
        """Names of the enabled datasets of a kind."""
        return [name for name in self.datasets if self.kind(name) == kind]

    def check_locks(self) -> None:
        """Read every lock, and look whether a connectome can be made of what it names.

        Raises
        ------
        LockError
            If an enabled dataset has none, naming the command that makes it.
        ManifestError
            If a dataset with a connectome holds Suite2p ROIs of several subjects or sessions.
        """
        for name, locked in self._locks.items():
            numbered = (
                self.dataset(name).modality == "calcium"
                and json.loads(self.read_settings(name))["unit_names"] is None
                and all(_is_suite2p(found) for found in locked.values())
            )
            several = len({(found.subject, found.session) for found in locked.values()}) > 1
            if numbered and several and any(p.name == "connectome" for p in self.analyses(name)):
                raise ManifestError(
                    f"dataset {name}: Suite2p numbers the ROIs of each subject and session anew",
                    "for a connectome, names that mean the same in all of them",
                    "name a column of them (read: {unit_names: ...}), or set analyses: "
                    "{connectome: false}",
                )

    def atlases(self, name: str) -> list[str]:
        """Folders of the named atlases that reading a dataset needs fetched."""
        read = json.loads(self.read_settings(name))
        folder = _atlas_folder(read.get("atlas"))
        return [folder] if folder and read["atlas_folder"] == folder else []

    def recordings(self, name: str, subject: str | None = None) -> list[str]:
        """Names of a dataset's recordings, or of one subject's."""
        locked = self._locks[name].values()
        return [r.recording for r in locked if subject in (None, r.subject)]

    def subjects(self, name: str) -> list[str]:
        """Subjects of a dataset, sorted."""
        return sorted({r.subject for r in self._locks[name].values()})

    def analyses(self, name: str) -> list[Part]:
        """Analyses that a dataset is put through, in the report's order."""
        dataset = self.dataset(name)
        return [
            part
            for part in ANALYSES
            if dataset.modality in part.modalities
            and dataset.analyses.get(part.name, True) is not False
        ]

    def planned(self, name: str) -> list[Part]:
        """Analyses of a dataset that its lock leaves something to do for."""
        rests = {r.task for r in self._locks[name].values()} == {"rest"}
        return [
            part
            for part in self.analyses(name)
            if not (part.needs_events and rests and not self.is_asked(name, part.name))
        ]

    def is_asked(self, name: str, part: str) -> bool:
        """Whether the manifest asks a dataset for an analysis, rather than leaving it as it is."""
        return self.dataset(name).analyses.get(part, False) is not False

    @_remembered
    def settings(self, name: str, part: str) -> str:
        """Settings of one part for one dataset: the configuration with the manifest's overrides.

        Returns
        -------
        str
            Validated settings as JSON, every default written out.

        Raises
        ------
        ManifestError
            If the manifest names an unknown part or setting.
        """
        dataset = self.dataset(name)
        where = f"manifest: datasets.{name}.analyses.{part}"
        if part not in PARTS:
            raise ManifestError(where, f"one of {', '.join(PARTS)}", "correct the name")
        own = dataset.analyses.get(part, {})
        merged = _merge(
            getattr(self.config, part).model_dump(), own if isinstance(own, dict) else {}
        )
        return validated(PARTS[part].settings, merged, where, ManifestError).model_dump_json()

    @_remembered
    def read_settings(self, name: str) -> str:
        """Reading options of a dataset as JSON, validated by its modality's model.

        Raises
        ------
        ManifestError
            If an option is unknown or impossible.
        """
        dataset = self.dataset(name)
        where = f"manifest: datasets.{name}.read"
        model = READ_SETTINGS[dataset.modality]
        read = validated(model, dataset.read, where, ManifestError).model_dump(mode="json")
        if read.get("atlas") and read["atlas_folder"] is None:
            read["atlas_folder"] = _atlas_folder(read["atlas"])
        return json.dumps(read)

    def source_settings(self, name: str) -> str:
        """Settings of a simulated dataset as JSON."""
        source = self.dataset(name).source
        return json.dumps(source.settings if isinstance(source, SimulateSource) else {})

    @_remembered
    def card(self, name: str) -> str:
        """Name, title, modality, licence and citation of a dataset as JSON, for its report."""
        dataset = self.dataset(name)
        fields = ("title", "modality", "license", "citation")
        return json.dumps({"name": name} | {field: getattr(dataset, field) for field in fields})

    @_remembered
    def files_digest(self, name: str, recording: str | None = None) -> str:
        """Hash the lock's rows of a recording, or of the whole dataset.

        It stands for the raw files among a rule's parameters, so that planning need not look at
        them.
        """
        locked = self._locks[name]
        chosen = locked.values() if recording is None else [locked[recording]]
        return hashlib.sha256(repr(list(chosen)).encode()).hexdigest()[:16]

    @_remembered
    def code(self, part: str, name: str | None = None) -> str:
        """Fingerprint of a part's code: ``ingest``, ``simulate``, or a part of the table.

        Parameters
        ----------
        part : str
        name : str, optional
            The dataset, where the code depends on its modality.
        """
        if part == "ingest" and name is not None:
            return _fingerprint(reader_modules(self.dataset(name).modality))
        if part == "simulate" and name is not None:
            source = self.dataset(name).source
            return _fingerprint(simulator_modules(source.simulate))
        return _fingerprint(PARTS[part].modules)

    @_remembered
    def step_code(self, part: str, step: str) -> str:
        """Fingerprint of the code of a step of a part."""
        return _fingerprint(PARTS[part].steps[step])

    def check_other_datasets(self, name: str) -> None:
        """Check the datasets that a dataset's models are trained with or taken from.

        Raises
        ------
        ManifestError
            If one is the dataset itself, is not enabled, or has no such analysis.
        """
        settings = BrainmaeSettings.model_validate_json(self.settings(name, "brainmae"))
        for other in (*settings.pretrain_with, *filter(None, [settings.weights_of])):
            able = [
                found
                for found in self.datasets
                if found != name and any(part.name == "brainmae" for part in self.analyses(found))
            ]
            if other not in able:
                raise ManifestError(
                    f"manifest: datasets.{name}.analyses.brainmae names dataset {other!r}",
                    f"another enabled dataset with that analysis ({', '.join(able) or 'none'})",
                    "correct the name",
                )

    @_remembered
    def brainmae(self, name: str) -> Plan:
        """Models and targets of a dataset."""
        settings = BrainmaeSettings.model_validate_json(self.settings(name, "brainmae"))
        return Plan(settings, [found.subject for found in self._locks[name].values()])

    @_remembered
    def connectome(self, name: str) -> ConnectomeSettings:
        """Settings of a dataset's connectome."""
        return ConnectomeSettings.model_validate_json(self.settings(name, "connectome"))

    def wiring(self, name: str) -> list[Path]:
        """Tables of a dataset's wiring diagram; the manifest names them from its own folder."""
        return [self.folder / path for path in self.connectome(name).wiring]

    def model_rdms(self, name: str) -> list[Path]:
        """Files of a dataset's model RDMs; the manifest names them from its own folder."""
        settings = TrsaSettings.model_validate_json(self.settings(name, "trsa"))
        return [self.folder / path for path in settings.models]

    def check_files(self, name: str, part: str, option: str) -> None:
        """Look whether the files that a part's option names are there.

        Raises
        ------
        ManifestError
            If one is not.
        """
        for path in {"wiring": self.wiring, "models": self.model_rdms}[option](name):
            if not path.is_file():
                raise ManifestError(
                    f"manifest: datasets.{name}.analyses.{part}.{option} names {path}",
                    "a file, relative to the manifest",
                    "correct the path",
                )

    def results_of(self, name: str, subject: str) -> list[str]:
        """Result folders that a subject's page is made of, in the order of its sections.

        Results over the dataset stand in the index alone: they wait for every subject, and one bad
        recording must not keep the others' pages from being made.
        """
        return self._results(name, [subject])

    def results_of_dataset(self, name: str) -> list[str]:
        """Result folders of all recordings and of the dataset."""
        subjects = self.subjects(name)
        parts = [
            part
            for part in self.planned(name)
            if part.per_dataset and (len(subjects) > 1 or not part.per_subject)
        ]
        folders = self._results(name, subjects)
        return folders + [f"results/{name}/{part.name}/{GROUP}" for part in parts]

    def _results(self, name: str, subjects: Sequence[str]) -> list[str]:
        recordings = [r for subject in subjects for r in self.recordings(name, subject)]
        folders = [f"results/{name}/{QUALITY.name}/{r}" for r in recordings]
        for part in self.planned(name):
            found = [f"sub-{s}" for s in subjects] if part.per_subject else recordings
            folders += [f"results/{name}/{part.name}/{r}" for r in found]
        return folders

    def unfinished_pages(self, name: str) -> list[tuple[str, str, list[str]]]:
        """Subjects without a page, the page's path, and the result folders that are there."""
        found = []
        for subject, page in zip(self.subjects(name), self.pages(name), strict=True):
            folders = [f for f in self.results_of(name, subject) if Path(f).is_dir()]
            if folders and not Path(page).exists():
                found.append((subject, page, folders))
        return found

    def pages(self, name: str) -> list[str]:
        """Report pages of a dataset's subjects."""
        return [f"results/{name}/report/sub-{subject}.html" for subject in self.subjects(name)]


@cache
def _fingerprint(modules: tuple[str, ...]) -> str:
    return fingerprint(*modules)


def _merge(base: dict[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in over.items():
        nested = isinstance(value, Mapping) and isinstance(merged.get(key), dict)
        merged[key] = _merge(merged[key], value) if nested else value
    return merged


def _is_suite2p(locked: LockedRecording) -> bool:
    return any(Path(file.path).name == "F.npy" for file in locked.files)


def _atlas_folder(atlas: str | None) -> str | None:
    """Where the workflow fetches a named atlas to."""
    return None if atlas is None else (RESOURCES / "atlases" / atlas).as_posix()
