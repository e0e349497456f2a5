"""`neuropipe manifest add`: a new entry at the end of the manifest, validated and locked."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from neuropipe.atomic import atomic_file
from neuropipe.errors import InputError, ManifestError, NeuropipeError
from neuropipe.ingest.nilearn_tree import fetch_nilearn, nilearn_uri
from neuropipe.ingest.read import discover
from neuropipe.ingest.remote import describe_bids, describe_remote, list_remote
from neuropipe.ingest.settings import READ_SETTINGS
from neuropipe.ingest.web import RETRIES, Retries
from neuropipe.lock.local import list_files
from neuropipe.lock.resolve import lock_dataset, source_path
from neuropipe.manifest import (
    DandiSource,
    Dataset,
    Manifest,
    NilearnSource,
    OpenNeuroSource,
    PathSource,
    SimulateSource,
    UrlSource,
    load_manifest,
    load_yaml,
    validated,
)
from neuropipe.names import check_name

_SIMULATED = {
    "fmri": "fmri",
    "calcium": "calcium",
    "spikes": "spikes",
    "vision": "images",
    "representations": "images",
}
_REQUIRED = ("license", "citation")
_DESCRIPTION = "dataset_description.json"
_FMRI = re.compile(r"_(bold|timeseries)\.|\.1D$")
_EMPTY = re.compile(r"^datasets:[ \t]*(\{[ \t]*\})?[ \t]*(#.*)?$", re.MULTILINE)


def add_dataset(
    manifest: Path,
    name: str,
    source: Mapping[str, Any],
    *,
    modality: str | None = None,
    title: str | None = None,
    license_: str | None = None,
    citation: str | None = None,
    read: Mapping[str, Any] | None = None,
    locks: Path,
    resources: Path,
    retries: Retries = RETRIES,
) -> Path:
    """Append a dataset to a manifest and lock it; on any error both stay as they were.

    Parameters
    ----------
    manifest : Path
        The manifest; made when missing. Its text and comments stay, the entry is appended.
    name : str
        Name of the dataset.
    source : mapping
        As under ``source:`` in the manifest.
    modality : str, optional
        Guessed from the files' names when absent.
    title, license_, citation : str, optional
        Read from ``dataset_description.json`` or the archive's metadata when absent; the title is
        else the name.
    read : mapping, optional
        Reading options.
    locks, resources : Path
        As for `resolve.lock_dataset`.
    retries : Retries

    Returns
    -------
    Path
        The new lock table.

    Raises
    ------
    ManifestError
        If the name is taken, something required cannot be found out, or the manifest's layout does
        not allow appending.
    NeuropipeError
        If the source cannot be listed or locked.
    """
    check_name(name, "dataset")
    text = manifest.read_text(encoding="utf-8") if manifest.exists() else "datasets:\n"
    old = load_manifest(manifest) if manifest.exists() else Manifest(datasets={})
    if name in old.datasets:
        raise ManifestError(f"{manifest} already has {name}", "a new name", "choose another")
    kind = _model(name, source)
    folder = manifest.parent
    facts = {"title": title, "license": license_, "citation": citation}
    if not all(facts.values()):
        known = _describe(kind, folder, retries)
        facts = {key: value or known.get(key) for key, value in facts.items()}
        facts["title"] = facts["title"] or name
    missing = [key for key in _REQUIRED if not facts[key]]
    if missing:
        raise ManifestError(
            f"the source of {name} states no {' and no '.join(missing)}",
            "both a licence and a reference for every dataset",
            f"give {' '.join(f'--{key} TEXT' for key in missing)}",
        )
    if modality is None:
        modality = _guess(kind, name, folder, resources, retries)
    entry = {"title": facts["title"], "modality": modality, "source": dict(source)}
    entry |= {"license": facts["license"], "citation": facts["citation"]}
    if read:
        entry["read"] = dict(read)
    new = _appended(manifest, text, name, entry)
    dataset = _verified(manifest, new, old, name, entry)
    lock = lock_dataset(
        name, dataset, manifest_folder=folder, locks=locks, resources=resources, retries=retries
    )
    try:
        with atomic_file(manifest) as temporary:
            temporary.write_text(new, encoding="utf-8")
    except OSError as error:
        lock.unlink(missing_ok=True)
        raise ManifestError(f"{manifest}: {error}", "a writable file", "correct it") from error
    return lock


def parse_source(text: str) -> dict[str, Any]:
    """Turn a source as given on the command line into one of the manifest.

    Parameters
    ----------
    text : str
        ``openneuro:ds000105``, ``dandi:000128`` or ``dandi:000128/0.220113.0400``,
        ``nilearn:adhd``, ``simulate:fmri``, an http(s) address of one file, or a path.

    Returns
    -------
    dict
        The mapping that stands under ``source:``.
    """
    kind, _, rest = text.partition(":")
    if kind in ("openneuro", "nilearn", "simulate"):
        return {kind: rest}
    if kind == "dandi":
        number, _, version = rest.partition("/")
        return {"dandi": number, "version": version or "draft"}
    if re.match(r"https?://", text):
        name = text.split("?")[0].split("#")[0].rstrip("/").rpartition("/")[2]
        return {"url": [{"url": text, "path": name}]}
    return {"path": text}


def guess_modality(
    paths: Sequence[str], root: Path | None = None, read: Mapping[str, Any] | None = None
) -> str:
    """Guess what was recorded from the names of the files.

    NWB files may hold either kind: their names tell (``_ophys``, ``_ecephys``), or else the content
    of the first one.

    Parameters
    ----------
    paths : sequence of str
        Relative POSIX paths.
    root : Path, optional
        Where they lie, if they are on this machine.
    read : mapping, optional
        Reading options; only modalities that know them come into question.

    Raises
    ------
    InputError
        If no modality's readers find a recording, or those of several do.
    """
    fitting: list[str] = []
    for modality, model in READ_SETTINGS.items():
        try:
            settings = validated(model, dict(read or {}), "read settings", InputError)
            discover(paths, modality, settings)
        except NeuropipeError:
            continue
        fitting.append(modality)
    # Any array may be ROI series; beside images or Suite2p's files it is not.
    if len(fitting) > 1 and "fmri" in fitting and not any(map(_FMRI.search, paths)):
        fitting.remove("fmri")
    if set(fitting) == {"calcium", "spikes"}:
        fitting = _nwb_kinds(paths, root)
    if len(fitting) != 1:
        first = ", ".join(paths[:3])
        raise InputError(
            f"the files fit {' and '.join(fitting) or 'no modality'} (first: {first})",
            f"one of {', '.join(READ_SETTINGS)}",
            "give --modality",
        )
    return fitting[0]


def _nwb_kinds(paths: Sequence[str], root: Path | None) -> list[str]:
    """Tell calcium from spiking NWB files: which of the two they may be."""
    files = [path for path in paths if path.lower().endswith(".nwb")]
    suffixes = {"calcium": "ophys", "spikes": "ecephys"}
    named = [
        kind
        for kind, word in suffixes.items()
        if any(word in re.split(r"[_+.]", Path(path).name) for path in files)
    ]
    if len(named) == 1 or root is None:
        return named or list(suffixes)
    import h5py

    found = set()

    def visit(name: str, node: h5py.HLObject) -> None:
        if node.attrs.get("neurodata_type") in ("RoiResponseSeries", b"RoiResponseSeries"):
            found.add("calcium")
        if name == "units/spike_times":
            found.add("spikes")

    try:
        with h5py.File(root / files[0], "r") as file:
            file.visititems(visit)
    except OSError:
        return list(suffixes)
    return [kind for kind in suffixes if kind in found]


def _model(name: str, source: Mapping[str, Any]) -> Any:
    """Validate the source alone, before anything is listed or asked for."""
    probe = {
        "title": name, "modality": "fmri", "source": dict(source), "license": "?", "citation": "?",
    }  # fmt: skip
    return validated(Dataset, probe, f"dataset {name}", ManifestError).source


def _describe(source: Any, folder: Path, retries: Retries) -> dict[str, str]:
    if isinstance(source, PathSource):
        path = source_path(source, folder)
        description = (path.parent if path.is_file() else path) / _DESCRIPTION
        try:
            return describe_bids(description.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError):
            return {}
    if isinstance(source, OpenNeuroSource | DandiSource | UrlSource):
        return describe_remote(source, retries)
    if isinstance(source, SimulateSource):
        return {
            "title": f"Simulated {source.simulate} data with known truth",
            "license": "CC0-1.0",
            "citation": "simulated by neuropipe",
        }
    return {}


def _guess(source: Any, name: str, folder: Path, resources: Path, retries: Retries) -> str:
    if isinstance(source, SimulateSource):
        return _SIMULATED[source.simulate]
    if isinstance(source, PathSource):
        path = source_path(source, folder)
        return guess_modality(list_files(path), path.parent if path.is_file() else path)
    if isinstance(source, NilearnSource):
        fetch_nilearn(nilearn_uri(source.nilearn, source.n_subjects), resources / name)
        return guess_modality(list_files(resources / name))
    return guess_modality([file.path for file in list_remote(source, retries)])


def _appended(manifest: Path, text: str, name: str, entry: Mapping[str, Any]) -> str:
    """Text of the manifest with one more entry; `datasets` is its only key, so it ends the file."""
    block = yaml.safe_dump(
        {name: dict(entry)}, sort_keys=False, allow_unicode=True, width=90, default_flow_style=False
    )
    if not text.endswith("\n"):
        text += "\n"
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    datasets = next((v for k, v in root.value if k.value == "datasets"), None) if root else None
    if isinstance(datasets, yaml.MappingNode) and datasets.value and not datasets.flow_style:
        indent = datasets.value[0][0].start_mark.column
        return text + "\n" + textwrap.indent(block, " " * indent)
    if _EMPTY.search(text):
        return _EMPTY.sub("datasets:", text, count=1) + textwrap.indent(block, "  ")
    raise ManifestError(
        f"{manifest} writes its datasets in braces",
        "one indented block a dataset",
        f"write it so, or add this entry by hand: {name}: {dict(entry)}",
    )


def _verified(
    manifest: Path, text: str, old: Manifest, name: str, entry: Mapping[str, Any]
) -> Dataset:
    """Read the new text back: all old datasets as they were, and the new one as meant."""
    try:
        data = load_yaml(text)
    except yaml.YAMLError as error:
        raise ManifestError(
            f"{manifest} cannot be appended to: {error}", "a plain YAML mapping", "add it by hand"
        ) from error
    new = validated(Manifest, data, str(manifest), ManifestError)
    others = {key: value for key, value in new.datasets.items() if key != name}
    meant = validated(Dataset, dict(entry), f"dataset {name}", ManifestError)
    if others != old.datasets or new.datasets.get(name) != meant:
        raise ManifestError(
            f"{manifest} reads differently once {name} is appended",
            "a file that ends with its datasets",
            "add the entry by hand",
        )
    return new.datasets[name]
