"""The numbers of one recording: what its dataset's components explain, and which it shows."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr

from neuropipe.connectome.recording import RecordingConnectome
from neuropipe.connectome.result import GroupConnectome
from neuropipe.results import Metric, finite

__all__ = ["recording_arrays", "recording_facts", "recording_metrics", "recording_warnings"]

_SHOWN = 0.5  # of the largest activity of a component: a recording that reaches it shows it


def recording_metrics(
    group: GroupConnectome, found: RecordingConnectome, seed: int
) -> list[Metric]:
    """Explained share, components shown, and likeness to the dataset's communities.

    Parameters
    ----------
    group : GroupConnectome
    found : RecordingConnectome
    seed : int
    """
    shares, n_units = group.explained, int(found.presence.sum())
    own, others, static, shifted = (
        100 * float(shares[name].iloc[found.place])
        for name in ("own", "others", "static", "shifted")
    )
    metrics = []
    if np.isfinite(others):
        metrics.append(
            Metric(
                name="explained by other recordings",
                value=others,
                unit="%",
                description="Share of the recording's squared affinities that components fitted "
                "to other recordings explain; higher is more typical. The baseline is a single "
                "component, chance the recording's shifted traces.",
                better="higher",
                baseline=static,
                baseline_name="one static pattern",
                chance=finite(shifted),
                n=n_units,
                seed=seed,
                split="left out of the fit, at most 5 folds",
            )
        )
    metrics += [
        Metric(
            name="explained by the dataset's components",
            value=own,
            unit="%",
            description="The same of the components that the recording took part in; higher is "
            "better, and how far it lies above other recordings' is its own alone.",
            better="higher",
            baseline=static,
            baseline_name="one static pattern",
            chance=finite(shifted),
            n=n_units,
            seed=seed,
        ),
        Metric(
            name="components shown",
            value=float((found.share[found.place] >= _SHOWN).sum()),
            description=f"Components, of {found.factors.rank}, whose mean activity reaches half "
            "of the largest of all recordings; neither way is better.",
            n=found.factors.rank,
        ),
    ]
    likeness = _likeness(group, found)
    if len(likeness):
        metrics.append(
            Metric(
                name="communities like the dataset's",
                value=float(likeness.mean()),
                description="Adjusted Rand index of the communities by this recording's activity "
                "and by that of all recordings, over the units that it has, mean over windows; "
                "higher is more typical. Both rest on the same components.",
                better="higher",
                chance=0.0,
                n=len(likeness),
                seed=seed,
            )
        )
    return metrics


def _likeness(group: GroupConnectome, found: RecordingConnectome) -> np.ndarray:
    """Adjusted Rand index of each window that the dataset has too; none with clocks of its own."""
    from sklearn.metrics import adjusted_rand_score

    if group.clock == "own":
        return np.empty(0)
    communities = group.windows["community"].values
    theirs = dict(zip(map(str, group.windows["window"].values), communities, strict=True))
    pairs = [
        (theirs[window.name][found.presence], blocks.labels[found.presence])
        for window, blocks in zip(found.windows, found.blocks, strict=True)
        if window.name in theirs
    ]
    return np.array([adjusted_rand_score(*pair) for pair in pairs])


def recording_facts(group: GroupConnectome, found: RecordingConnectome) -> dict[str, str]:
    """Short facts for the overview."""
    most = _most(found)
    motifs = _motifs_of(group, most)
    return {
        f"{group.noun}s": f"{int(found.presence.sum())} of the dataset's {len(group.names)}",
        "duration": f"{found.seconds[-1]:.0f} s in {len(found.windows)} windows",
        "shows most": f"component {most + 1} of {found.factors.rank}"
        + (f" (motif{'s' * (len(motifs) > 1)} {', '.join(motifs)})" if motifs else " (no motif)"),
    }


def _most(found: RecordingConnectome) -> int:
    """Component of the highest activity among recordings; of the only recording, at all."""
    if len(found.share) == 1:
        return int(found.activity.mean(axis=0).argmax())
    return int(found.share[found.place].argmax())


def _motifs_of(group: GroupConnectome, component: int) -> list[str]:
    table = group.tables.get("motifs", pd.DataFrame({"is_motif": [], "component": []}))
    rows = table[table["is_motif"].astype(bool) & (table["component"] == component)]
    return [str(name) for name in rows.get("motif", [])]


def recording_warnings(group: GroupConnectome, found: RecordingConnectome) -> list[str]:
    """What a reader must know before trusting the numbers.

    Parameters
    ----------
    group : GroupConnectome
    found : RecordingConnectome
    """
    warnings = []
    others, shifted = (
        float(group.explained[name].iloc[found.place]) for name in ("others", "shifted")
    )
    if others <= shifted:
        warnings.append(
            f"Components of other recordings explain this one ({100 * others:.1f} %) no better "
            f"than its shifted traces ({100 * shifted:.1f} %): it shares no moments with them."
        )
    if not any(_motifs_of(group, component) for component in range(found.factors.rank)):
        warnings.append(
            "The dataset has no motif above circular shifts: the communities here may be what the "
            "method makes of noise."
        )
    if found.presence.mean() < 0.5:
        warnings.append(
            f"It has {int(found.presence.sum())} of the {len(found.presence)} {group.noun}s: where "
            "the others stand is known from other recordings alone."
        )
    return warnings


def recording_arrays(group: GroupConnectome, found: RecordingConnectome) -> xr.Dataset:
    """Arrays of a recording for ``result.nc``.

    Parameters
    ----------
    group : GroupConnectome
    found : RecordingConnectome

    Returns
    -------
    xarray.Dataset
        The components' courses here, how active they are beside other recordings, and the
        communities of every window.
    """
    names = np.array(group.names, dtype=object)
    windows = np.array([window.name for window in found.windows], dtype=object)
    by_unit = ("window", "unit")
    words = {
        "activity": "course of each of the dataset's components",
        "level": "mean activity over the largest of all recordings",
        "presence": "unit is recorded",
        "samples": "sample is read",
        "community": "block of each unit of the dataset",
        "gain": "nats saved by blocks",
    }
    arrays: dict[str, tuple[tuple[str, ...], np.ndarray]] = {
        "activity": (("sample", "component"), found.activity.astype(np.float32)),
        "level": (("component",), found.share[found.place]),
        "presence": (("unit",), found.presence),
        "samples": (("window", "sample"), np.array([one.samples for one in found.windows])),
        "community": (by_unit, np.array([blocks.labels for blocks in found.blocks])),
        "gain": (("window",), np.array([blocks.gain for blocks in found.blocks])),
    }
    return xr.Dataset(
        {
            name: (dims, values, {"long_name": words[name]})
            for name, (dims, values) in arrays.items()
        },
        coords={
            "unit": names,
            "window": windows,
            "seconds": ("sample", found.seconds, {"units": "s"}),
        },
        attrs={"clock": group.clock},
    )
