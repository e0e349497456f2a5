"""Motifs as a table: when each is active, in which animals, and how stable its members are."""

from __future__ import annotations

import numpy as np
import pandas as pd

from neuropipe.connectome.data import Animals
from neuropipe.connectome.fit import ConnectomeFit
from neuropipe.connectome.readings import event_windows

__all__ = ["component_window", "motif_table", "n_event_windows", "unit_stability"]

_NEARLY = 0.9  # of a component's activity in its best window: an event that reaches it is named
_SHOWN = 0.5  # of the largest activity of a component: an animal that reaches it shows it


def n_event_windows(animals: Animals, fit: ConnectomeFit) -> int:
    """How many of the windows are types of events; they come first."""
    if fit.source.own_clocks:
        return 0
    return len(event_windows(animals.events, fit.source.frames))


def component_window(fit: ConnectomeFit, component: int, n_events: int) -> int:
    """Window in which a component is most active.

    Parameters
    ----------
    fit : ConnectomeFit
    component : int
    n_events : int
        Windows that are types of events.

    Returns
    -------
    int
        The best type of event where it reaches nine tenths of the best window, which may be short.
    """
    course = fit.factors.activity()[..., component].mean(axis=0)
    level = np.array([course[window.samples].mean() for window in fit.windows])
    if n_events and level[:n_events].max() >= _NEARLY * level.max():
        return int(np.argmax(level[:n_events]))
    return int(np.argmax(level))


def unit_stability(fit: ConnectomeFit) -> np.ndarray | None:
    """Mean over bootstrap draws of `stability.Bootstrap.units`; None without draws.

    Returns
    -------
    array of shape (n_windows, n_units) or None
    """
    units = fit.bootstrap.units
    return np.asarray(units.mean(axis=0)) if len(units) else None


def motif_table(animals: Animals, fit: ConnectomeFit, alpha: float) -> pd.DataFrame:
    """List all motifs.

    Parameters
    ----------
    animals : Animals
    fit : ConnectomeFit
    alpha : float
        Level of the test against circular shifts.

    Returns
    -------
    pandas.DataFrame
        ``motif`` (component from 1 and a letter), ``component`` (from 0), ``window`` (where the
        component is most active), ``n_animals`` (that reach half of its largest activity),
        ``members`` (names, the strongest first), ``stability`` (of each member: Jaccard index of
        its companions in the component, mean over bootstrap draws; NaN without any), ``contrast``,
        ``cosine`` (of the component and its match, mean over bootstrap draws), ``p_value`` (of the
        component's blocks beside shifts) and ``is_motif``.
    """
    draws = fit.bootstrap.members
    levels = fit.factors.levels()
    n_events = n_event_windows(animals, fit)
    rows, count = [], [0] * fit.factors.rank
    for motif in fit.motifs:
        window = component_window(fit, motif.component, n_events)
        steady = np.full(len(motif.members), np.nan)
        if len(draws):
            steady = draws[:, motif.component, motif.members].mean(axis=0)
        cosines = fit.bootstrap.components[:, motif.component]
        rows.append(
            {
                "motif": f"{motif.component + 1}{_letter(count[motif.component])}",
                "component": motif.component,
                "window": fit.windows[window].name,
                "n_animals": int((levels[:, motif.component] >= _SHOWN).sum()),
                "members": [animals.names[unit] for unit in motif.members],
                "stability": [float(value) for value in steady],
                "contrast": motif.contrast,
                "cosine": float(cosines.mean()) if len(cosines) else float("nan"),
                "p_value": float(fit.component_p_values[motif.component]),
                "is_motif": fit.is_motif(motif, alpha),
            }
        )
        count[motif.component] += 1
    columns = [
        "motif", "component", "window", "n_animals", "members", "stability", "contrast", "cosine",
        "p_value", "is_motif",
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=columns)


def _letter(place: int) -> str:
    """Letter of a place: a to z, then aa, ab, ..."""
    first, last = divmod(place, 26)
    return ("" if first == 0 else _letter(first - 1)) + chr(ord("a") + last)
