"""Brain atlases by name, fetched through nilearn and brought into one form.

Each atlas becomes a folder of two files: ``labels.nii.gz``, a 3-D image of labels or a 4-D one of
region weights, and ``labels.tsv`` (index, name, hemisphere, network).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from neuropipe.atomic import atomic_folder
from neuropipe.errors import FetchError, InputError, SettingsError
from neuropipe.ingest.homologues import pair_homologues, sides
from neuropipe.recording import MISSING

IMAGE, TABLE = "labels.nii.gz", "labels.tsv"
_SCHAEFER = re.compile(r"(?:7|17)Networks_(?:LH|RH)_([A-Za-z]+)")
_BACKGROUND = {"background", "unknown", "???"}

Fetcher = Callable[..., Mapping[str, Any]]

#: Function of `nilearn.datasets` and its arguments, by the pattern of the atlas's name.
_ATLASES: dict[str, tuple[str, Callable[[re.Match[str]], dict[str, Any]]]] = {
    r"schaefer-([1-9]|10)00-(7|17)": (
        "fetch_atlas_schaefer_2018",
        lambda m: {"n_rois": int(m[1]) * 100, "yeo_networks": int(m[2]), "resolution_mm": 2},
    ),
    r"aal": ("fetch_atlas_aal", lambda _: {}),
    r"harvard-oxford": (
        "fetch_atlas_harvard_oxford",
        lambda _: {"atlas_name": "cort-maxprob-thr25-2mm", "symmetric_split": True},
    ),
    r"harvard-oxford-subcortical": (
        "fetch_atlas_harvard_oxford",
        lambda _: {"atlas_name": "sub-maxprob-thr25-2mm"},
    ),
    r"destrieux": ("fetch_atlas_destrieux_2009", lambda _: {}),
    r"basc-(7|12|20|36|64|122|197|325|444)": (
        "fetch_atlas_basc_multiscale_2015",
        lambda m: {"resolution": int(m[1])},
    ),
    r"msdl": ("fetch_atlas_msdl", lambda _: {}),
    r"difumo-(64|128|256|512|1024)": (
        "fetch_atlas_difumo",
        lambda m: {"dimension": int(m[1]), "resolution_mm": 2},
    ),
}


def atlas_call(name: str) -> tuple[str, dict[str, Any]]:
    """Find the nilearn function and arguments of an atlas.

    Parameters
    ----------
    name : str
        ``schaefer-<100..1000>-<7|17>``, ``aal``, ``harvard-oxford``,
        ``harvard-oxford-subcortical``, ``destrieux``, ``basc-<n>``, ``msdl`` or ``difumo-<n>``.

    Returns
    -------
    str, dict
        Name of the function in `nilearn.datasets`, and its arguments.

    Raises
    ------
    SettingsError
        If no atlas has that name.
    """
    for pattern, (function, arguments) in _ATLASES.items():
        match = re.fullmatch(pattern, name)
        if match:
            return function, arguments(match)
    known = (
        "schaefer-<100, 200 .. 1000>-<7|17>, aal, harvard-oxford, harvard-oxford-subcortical,"
        " destrieux, basc-<7|12|20|36|64|122|197|325|444>, msdl, difumo-<64|128|256|512|1024>"
    )
    raise SettingsError(f"atlas is {name!r}", f"one of {known}", "correct read.atlas")


def atlas_folder(name: str, setting: str | None) -> Path:
    """Where an atlas stands: the folder of the setting, or the user's cache."""
    atlas_call(name)
    if setting is not None:
        return Path(setting)
    import pooch

    return Path(pooch.os_cache("neuropipe")) / "atlases" / name


def fetch_atlas(
    name: str,
    output: Path,
    *,
    downloads: Path | None = None,
    fetchers: Mapping[str, Fetcher] | None = None,
) -> None:
    """Fetch an atlas and write ``labels.nii.gz`` and ``labels.tsv``, both or neither.

    Parameters
    ----------
    name : str
        See `atlas_call`.
    output : Path
        The folder to appear; an older one is replaced.
    downloads : Path, optional
        Where nilearn keeps its downloads; by default its own data folder.
    fetchers : mapping of str to callable, optional
        Stand-ins for the functions of `nilearn.datasets`, by name.

    Raises
    ------
    SettingsError
        If no atlas has that name.
    FetchError
        If the download fails.
    InputError
        If what came is no atlas.
    """
    function, arguments = atlas_call(name)
    if fetchers is None:
        from nilearn import datasets

        fetch: Fetcher = getattr(datasets, function)
    else:
        fetch = fetchers[function]
    data_dir = None if downloads is None else str(downloads)
    try:
        bunch = fetch(**arguments, data_dir=data_dir, verbose=0)
    except Exception as error:  # nilearn lets the errors of requests, zip and tar pass
        raise FetchError(
            f"atlas {name}: {error}",
            "a download by nilearn",
            "check the connection, then run again",
        ) from error
    image, table = normalised(name, bunch)
    import nibabel

    with atomic_folder(Path(output), IMAGE) as folder:
        nibabel.save(image, folder / IMAGE)
        table.to_csv(folder / TABLE, sep="\t", index=False, lineterminator="\n")


def normalised(name: str, bunch: Mapping[str, Any]) -> tuple[Any, pd.DataFrame]:
    """Bring what nilearn returns into one form.

    Parameters
    ----------
    name : str
        For errors.
    bunch : mapping
        ``maps`` (path or image) and ``lut`` (index, name), ``labels`` or ``networks``.

    Returns
    -------
    nibabel.Nifti1Image
        int32 labels in 3-D, or float32 weights in 4-D.
    pandas.DataFrame
        ``index``, ``name`` (unique), ``hemisphere``, ``network``; background is left out.
    """
    from nibabel import Nifti1Image, load

    maps = bunch["maps"]
    image = load(maps) if isinstance(maps, str | Path) else maps
    values = np.asarray(image.dataobj)
    if values.ndim == 4:
        table = _map_table(bunch, values.shape[3])
        out = Nifti1Image(values.astype(np.float32), image.affine)
    elif values.ndim == 3:
        table = _label_table(bunch)
        out = Nifti1Image(np.rint(values).astype(np.int32), image.affine)
    else:
        raise InputError(f"atlas {name} has shape {values.shape}", "3-D or 4-D", "report it")
    names = _unique([_text(n) for n in table["name"]])
    if not names:
        raise InputError(f"atlas {name} has no region", "a table of regions", "report it")
    found = [_SCHAEFER.search(n) for n in names]
    networks = table.get("network", pd.Series(MISSING, table.index))
    return out, pd.DataFrame(
        {
            "index": table["index"].astype(int).to_numpy(),
            "name": names,
            "hemisphere": sides(names, pair_homologues(names)),
            "network": [m[1] if m else _text(n) for m, n in zip(found, networks, strict=True)],
        }
    )


def _label_table(bunch: Mapping[str, Any]) -> pd.DataFrame:
    lut = bunch.get("lut")
    if lut is None:
        labels = list(bunch["labels"])
        lut = pd.DataFrame({"index": range(len(labels)), "name": labels})
    table = pd.DataFrame(lut).rename(columns=str.lower)[["index", "name"]]
    name = table["name"].map(_text).str.lower()
    return table[(table["index"].astype(int) > 0) & ~name.isin(_BACKGROUND)]


def _map_table(bunch: Mapping[str, Any], n_maps: int) -> pd.DataFrame:
    labels = bunch["labels"]
    if isinstance(labels, pd.DataFrame):  # DiFuMo
        column = next((c for c in labels if "names" in str(c)), labels.columns[1])
        names = list(labels[column])
        network = next((c for c in labels if str(c).startswith("yeo_networks7")), None)
        networks = [MISSING] * len(names) if network is None else list(labels[network])
    else:
        names = list(labels)
        networks = list(bunch.get("networks") or [MISSING] * len(names))
    if len(names) != n_maps:
        raise InputError(f"atlas has {n_maps} maps, {len(names)} names", "one name a map", "report")
    return pd.DataFrame({"index": range(1, n_maps + 1), "name": names, "network": networks})


def _text(value: object) -> str:
    text = value.decode() if isinstance(value, bytes) else str(value)
    return " ".join(text.split()) or MISSING


def _unique(names: list[str]) -> list[str]:
    """Number the repetitions of a name."""
    seen: dict[str, int] = {}
    result = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        result.append(name if seen[name] == 1 else f"{name} {seen[name]}")
    return result
