"""The arrays of a dataset's connectome: all that a user may load.

Axis legend: the names of the dimensions are written out; ``component`` counts from 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from neuropipe.connectome.assembly import Assembly, tensor_lengths
from neuropipe.connectome.data import Animals
from neuropipe.connectome.fit import ConnectomeFit
from neuropipe.connectome.motif_table import unit_stability
from neuropipe.connectome.result import FORMAT, RENAMED
from neuropipe.connectome.windows import refold

__all__ = ["group_arrays"]

_PAIR = ("component", "unit", "other_unit")


def group_arrays(animals: Animals, fit: ConnectomeFit, found: Assembly) -> xr.DataTree:
    """Arrays of a dataset for ``result.nc``.

    Parameters
    ----------
    animals : Animals
    fit : ConnectomeFit
    found : Assembly

    Returns
    -------
    xarray.DataTree
        The root holds the unit table, which units each recording has, and the affinity of the
        whole run with its communities. Groups: ``factors`` (the components), ``explained`` (of
        each recording), ``windows`` and ``components`` (their communities), ``shifts``,
        ``halves``, ``starts``, ``bootstrap``, ``rank``, ``wiring`` and ``homologues`` (what stands
        beside the numbers), and the tables ``events``, ``motifs``, ``members`` (of motifs),
        ``atlas`` and ``silencing``. Groups of which there is nothing are left out.
    """
    groups: dict[str, xr.Dataset | None] = {
        "/": _root(animals, fit, found),
        "factors": _factors(animals, fit),
        "explained": xr.Dataset({k: ("recording", v) for k, v in asdict(fit.explained).items()}),
        "windows": _windows(fit),
        "components": _components(fit),
        "shifts": _shifts(fit),
        "halves": xr.Dataset(
            {"null": ("permutation", fit.halves.null)},
            attrs={"value": fit.halves.value, "halved": fit.halves.what},
        ),
        "starts": xr.Dataset(
            {
                "error": ("start", fit.errors),
                "similarity": (("start", "other_start"), fit.similarity),
            }
        ),
        "bootstrap": _bootstrap(fit),
        "rank": _ranks(fit),
        "wiring": _wiring(found),
        "homologues": None
        if found.homologues is None
        else xr.Dataset(
            {"null": ("shuffle", found.homologues.null)},
            attrs={"share": found.homologues.share, "n_pairs": found.homologues.n_pairs},
        ),
        "events": _table(animals.events),
        "motifs": _table(found.motifs.drop(columns=["members", "stability"])),
        "members": _table(_members(found.motifs)),
        "atlas": _table(found.atlas),
        "silencing": _table(found.silencing),
    }
    return xr.DataTree.from_dict(
        {name: _packed(data) for name, data in groups.items() if data is not None}
    )


def _root(animals: Animals, fit: ConnectomeFit, found: Assembly) -> xr.Dataset:
    names, recordings = _texts(animals.names), _texts(animals.recordings)
    data = xr.Dataset(coords={"unit": names, "other_unit": names, "recording": recordings})
    for column in animals.units.columns:
        data[f"unit_{column}"] = ("unit", _texts(animals.units[column]))
    data["subject"] = ("recording", _texts(animals.subjects))
    data["presence"] = (("recording", "unit"), animals.presence, {"long_name": "unit is recorded"})
    data["n_samples"] = ("recording", tensor_lengths(fit), {"long_name": "samples in use"})
    words = {"long_name": "affinity above expectation, whole run", "units": "1"}
    data["affinity"] = (("unit", "other_unit"), found.graph.astype(np.float32), words)
    data["community"] = ("unit", found.blocks.labels, {"long_name": "block in the whole run"})
    return data.assign_attrs(
        format=FORMAT,
        clock=animals.clock,
        noun=animals.noun,
        modality=animals.modality,
        sampling_rate=animals.sampling_rate,
        degree_corrected=int(fit.degree_corrected),
    )


def _factors(animals: Animals, fit: ConnectomeFit) -> xr.Dataset:
    factors, n_units = fit.factors, fit.source.n_units
    words = {
        "affinity": "affinity of each pair of units; NaN where not identified",
        "evidence": "how surely a pair's affinity is known, over the surest",
        "times": "course of each component, unit norm",
        "animals": "weight of each recording, unit norm",
        "slices": "weight of coactive and of antagonist pairs, unit norm",
        "weights": "product of the norms",
        "level": "mean activity of each recording, over the largest",
    }
    dims: dict[str, tuple[str, ...]] = {
        "affinity": _PAIR,
        "evidence": _PAIR,
        "times": (*("recording",) * factors.own_clocks, "sample", "component"),
        "animals": ("recording", "component"),
        "slices": ("slice", "component"),
        "weights": ("component",),
        "level": ("recording", "component"),
    }
    values = {
        "affinity": refold(factors.pairs, n_units),
        "evidence": refold(factors.evidence, n_units),
        "level": factors.levels(),
    }
    data = xr.Dataset(attrs={"error": factors.error, "own_clocks": int(factors.own_clocks)})
    for name, text in words.items():
        array = values[name] if name in values else getattr(factors, name)
        data[name] = (dims[name], array.astype(np.float32), {"long_name": text, "units": "1"})
    seconds = fit.source.frames / animals.sampling_rate
    return data.assign_coords(seconds=("sample", seconds, {"units": "s"}))


def _windows(fit: ConnectomeFit) -> xr.Dataset:
    depth = max(len(one.levels) for one in fit.hierarchies)
    tops = [one.levels + (one.levels[-1],) * (depth - len(one.levels)) for one in fit.hierarchies]
    data = xr.Dataset(coords={"window": _texts([window.name for window in fit.windows])})
    by_unit = ("window", "unit")
    arrays: dict[str, tuple[tuple[str, ...], np.ndarray, str]] = {
        "samples": (
            ("window", "sample"), np.array([w.samples for w in fit.windows]), "sample is read",
        ),
        "community": (by_unit, np.array([b.labels for b in fit.blocks]), "block of each unit"),
        "level": (
            ("window", "depth", "unit"), np.array(tops), "blocks of blocks, the finest first",
        ),
        "gain": (("window",), np.array([b.gain for b in fit.blocks]), "nats saved by blocks"),
        "p_value": (("window",), fit.shifts.window_p_values(), "beside circular shifts"),
        "agreed_community": (
            by_unit, np.array([one.labels for one in fit.agreement]), "consensus over starts",
        ),
        "agreement": (
            by_unit, np.array([one.unit_stability for one in fit.agreement]),
            "share of starts that keep a unit with the others of its community",
        ),
    }  # fmt: skip
    stability = unit_stability(fit)
    if stability is not None:
        arrays["stability"] = (
            by_unit, stability, "Jaccard index of a unit's companions, over the bootstrap",
        )  # fmt: skip
    for name, (dims, values, text) in arrays.items():
        data[name] = (dims, values, {"long_name": text})
    return data


def _components(fit: ConnectomeFit) -> xr.Dataset:
    return xr.Dataset(
        {
            "community": (
                ("component", "unit"), np.array([one.labels for one in fit.component_blocks])
            ),
            "gain": ("component", [one.gain for one in fit.component_blocks], {"units": "nat"}),
            "p_value": ("component", fit.component_p_values),
        }
    )  # fmt: skip


def _shifts(fit: ConnectomeFit) -> xr.Dataset:
    shifts, data = fit.shifts.shifts, fit.shifts.data
    return xr.Dataset(
        {
            "fit": ("shift", [one.fit for one in shifts]),
            "window_gain": (("shift", "window"), [one.window_gains for one in shifts]),
            "component_gain": (("shift", "its_component"), [one.component_gains for one in shifts]),
            "data_window_gain": ("window", data.window_gains),
            "data_component_gain": ("its_component", data.component_gains),
        },
        attrs={"data_fit": data.fit},
    )


def _bootstrap(fit: ConnectomeFit) -> xr.Dataset | None:
    if not len(fit.bootstrap.components):
        return None
    return xr.Dataset({"cosine": (("draw", "component"), fit.bootstrap.components)})


def _ranks(fit: ConnectomeFit) -> xr.Dataset | None:
    if fit.ranks is None:
        return None
    table = fit.ranks
    return xr.Dataset(
        {
            "error": (("rank", "rank_start"), table.errors),
            "variance": ("rank", table.variance),
            "similarity": ("rank", table.similarity),
            "held_out_error": (("rank", "fold"), table.held_out),
        },
        coords={"rank": table.ranks},
        attrs={"knee": table.knee, "chosen": table.chosen, "reason": table.reason},
    )


def _wiring(found: Assembly) -> xr.Dataset | None:
    if found.wiring is None:
        return None
    fields = asdict(found.wiring)
    nulls = {name: ("shuffle", fields.pop(name)) for name in ("rho_null", "share_null")}
    return xr.Dataset(nulls, attrs=fields)


def _members(motifs: pd.DataFrame) -> pd.DataFrame:
    columns = ["motif", "members", "stability"]
    flat = motifs[columns].explode(["members", "stability"], ignore_index=True)
    return flat.rename(columns={"members": "unit"}).astype({"stability": float})


def _table(rows: pd.DataFrame) -> xr.Dataset | None:
    """The rows of a table as variables; None where there are none."""
    if rows.empty:
        return None
    data = xr.Dataset()
    for name in rows.columns:
        values = rows[name].to_numpy()
        data[RENAMED.get(name, name)] = (
            "row", values if values.dtype.kind in "bifu" else _texts(values)
        )  # fmt: skip
    return data


def _texts(values: Sequence[Any] | np.ndarray | pd.Series) -> np.ndarray:
    return np.array([str(value) for value in values], dtype=object)


def _packed(data: xr.Dataset) -> xr.Dataset:
    """Ask for compression where it pays: matrices over units are large and half of them repeat."""
    for variable in data.variables.values():
        if variable.ndim > 1 and variable.dtype.kind in "bifu":
            variable.encoding["zlib"] = True
    return data
