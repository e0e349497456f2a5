"""Figures of motifs: who is in them, what events they go with, whom to silence."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from neuropipe.connectome.data import Animals
from neuropipe.connectome.figures_parts import community_color
from neuropipe.connectome.fit import ConnectomeFit
from neuropipe.connectome.motif_table import motif_table
from neuropipe.plotting import DIVERGING, INK, MUTED, WIDTH, new_figure
from neuropipe.results import ResultFigure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["motif_figures"]

_MOST_MOTIFS, _MOST_MEMBERS, _MOST_TYPES, _MOST_CANDIDATES = 14, 12, 20, 10
_LONGEST = 20  # characters of a name in the table
_LINE = 0.155  # inches
_CHARACTER = 0.056  # inches, of the table's type
_COLUMNS = (0.0, 0.42, 1.42, 1.82, 2.25)  # inches: motif, window, recordings, p, cosine
_MEMBERS = 2.8  # inches: where members begin


def motif_figures(
    animals: Animals,
    fit: ConnectomeFit,
    *,
    alpha: float,
    atlas: pd.DataFrame | None,
    silencing: pd.DataFrame | None,
) -> list[ResultFigure]:
    """Draw what there is of the motifs.

    Parameters
    ----------
    animals, fit, alpha, atlas, silencing
        See `figures_group.group_figures`.
    """
    figures = [_table_figure(animals, fit, alpha)]
    if atlas is not None and len(atlas):
        figures.append(_atlas_figure(atlas, alpha))
    if silencing is not None and len(silencing):
        figures.append(_silencing_figure(silencing, animals.noun))
    return figures


def _table_figure(animals: Animals, fit: ConnectomeFit, alpha: float) -> ResultFigure:
    table = motif_table(animals, fit, alpha)
    ranked = table.sort_values(["is_motif", "p_value"], ascending=[False, True], kind="stable")
    shown = ranked.head(_MOST_MOTIFS).sort_index()
    longest = max((len(_short(name)) for row in shown["members"] for name in row), default=4)
    steady = any(np.isfinite(row).any() for row in shown["stability"])
    cell = (longest + (5 if steady else 2)) * _CHARACTER
    per_line = max(1, int((WIDTH - _MEMBERS) / cell))
    lines = [1 + (min(len(row), _MOST_MEMBERS) - 1) // per_line for row in shown["members"]]
    height = _LINE * (sum(lines) + 0.45 * len(lines) + 2)
    figure = new_figure(max(height, 0.6))
    figure.set_layout_engine("none")
    ax = figure.add_axes((0, 0, 1, 1))
    ax.set_xlim(0, WIDTH)
    ax.set_ylim(max(height, 0.6), 0)
    ax.axis("off")
    _row(
        ax, _LINE, ["motif", "most active", "in", "p", "again"], MUTED, "members" + " (%)" * steady
    )
    y = 2.3 * _LINE
    for (_, row), n_lines in zip(shown.iterrows(), lines, strict=True):
        color = INK if row["is_motif"] else MUTED
        name = str(row["motif"]) if row["is_motif"] else f"({row['motif']})"
        words = [name, _short(str(row["window"])), f"{row['n_animals']}/{len(animals.recordings)}"]
        again = f"{row['cosine']:.2f}" if np.isfinite(row["cosine"]) else ""
        _row(ax, y, [*words, f"{row['p_value']:.2g}", again], color)
        _members(ax, y, row, cell, per_line)
        y += _LINE * (n_lines + 0.45)
    if not len(shown):
        ax.text(0, y, "no block holds together", color=MUTED, va="center", fontsize=8)
    return ResultFigure(
        name="connectome-motifs",
        title="Motifs",
        caption=_table_caption(animals, table, alpha, len(shown), steady),
        figure=figure,
    )


def _row(ax: Axes, y: float, words: list[str], color: str, members: str = "") -> None:
    for x, text in zip(_COLUMNS, words, strict=True):
        ax.text(x, y, text, color=color, va="center", fontsize=7.5)
    ax.text(_MEMBERS, y, members, color=color, va="center", fontsize=7.5)


def _members(ax: Axes, y: float, row: pd.Series, cell: float, per_line: int) -> None:
    members = list(zip(row["members"], row["stability"], strict=True))
    for place, (name, steady) in enumerate(members[:_MOST_MEMBERS]):
        x = _MEMBERS + cell * (place % per_line)
        at = y + _LINE * (place // per_line)
        last = place == _MOST_MEMBERS - 1 and len(members) > _MOST_MEMBERS
        if last:
            ax.text(x, at, f"and {len(members) - place} more", color=MUTED, va="center", fontsize=7)
            break
        share = "" if np.isnan(steady) else f" {100 * steady:.0f}"
        strong = bool(row["is_motif"]) and not steady < 0.5
        ax.text(
            x, at, _short(name) + share, color=INK if strong else MUTED, va="center", fontsize=7
        )


def _short(name: str) -> str:
    if len(name) <= _LONGEST:
        return name
    half = (_LONGEST - 1) // 2
    return f"{name[:half]}\N{HORIZONTAL ELLIPSIS}{name[-half:]}"


def _table_caption(
    animals: Animals, table: pd.DataFrame, alpha: float, n_shown: int, steady: bool
) -> str:
    noun = animals.noun
    text = (
        f"Blocks of three {noun}s or more whose members are at least twice as alike as they are "
        "to others, named by component and letter: the window in which the component is most "
        "active, how many recordings reach half of its largest activity, the p value of the "
        "component's blocks beside circular shifts, the cosine of the component with its match "
        "when recordings are drawn with replacement (again), and the members, the strongest "
        "first. "
        f"Grey and in brackets: p is above {alpha:g}; such a block is not called a motif."
    )
    if steady:
        text += (
            " Behind each member: how much its companions in the component stay the same when "
            f"recordings are drawn with replacement (mean Jaccard index in %); {noun}s below 50 % "
            "are grey. Report a member by its stability, not by its place in the list; with few "
            "recordings each pair rests on still fewer, and stability is low for good reason."
        )
    if n_shown < len(table):
        text += f" {n_shown} of {len(table)} blocks are shown."
    return text


def _atlas_figure(atlas: pd.DataFrame, alpha: float) -> ResultFigure:
    column = "trial_type" if "trial_type" in atlas else "series"
    what = "type of event" if column == "trial_type" else "series of behaviour"
    kept = atlas.assign(size=atlas["z"].abs()).groupby(column, sort=False)["size"].max()
    names = [name for name in kept.index if name in set(kept.nlargest(_MOST_TYPES).index)]
    z, p = (
        atlas.pivot_table(index="component", columns=column, values=value, dropna=False)[names]
        for value in ("z", "p_family")
    )
    rank = len(z)
    limit = float(np.nanmax(np.abs(z.to_numpy()), initial=3.0))
    figure = new_figure(1.5 + 0.24 * rank, min(WIDTH, 2.4 + 0.42 * len(names)))
    ax = figure.subplots()
    image = ax.imshow(z, cmap=DIVERGING, vmin=-limit, vmax=limit, aspect="auto")
    for (y, x), value in np.ndenumerate(p.to_numpy()):
        if value <= alpha:
            dark = abs(z.to_numpy()[y, x]) > 0.6 * limit
            ax.plot(x, y, "*", color="white" if dark else INK, markersize=6, markeredgewidth=0)
    ax.set_xticks(range(len(names)), names, rotation=45 if len(names) > 3 else 0,
                  ha="right" if len(names) > 3 else "center")  # fmt: skip
    ax.set_yticks(range(rank), [f"component {int(r) + 1}" for r in z.index])
    ax.tick_params(length=0)
    for spine in ax.spines.values():
        spine.set_visible(False)
    bar = figure.colorbar(image, ax=ax, pad=0.02)
    bar.set_label("z beside shifts")
    bar.outline.set_visible(False)
    measured = (
        "Mean activity of each component during events of a type minus that outside them"
        if column == "trial_type"
        else "Rank correlation of each component's course with behaviour"
    )
    return ResultFigure(
        name="connectome-atlas",
        title="When motifs are active",
        caption=(
            f"{measured}, in standard deviations of circular shifts of the course: red is more, "
            f"blue is less. Stars: p at most {alpha:g} after correction for all cells "
            "(Westfall-Young). Look down a column for what goes with a "
            f"{what}. Slow courses have few independent shifts and reach no star however clear "
            "they look; a course on one clock for all recordings is one observation, not one a "
            "recording. Blocks of time that differ in more than the event differ here too."
        ),
        figure=figure,
    )


def _silencing_figure(silencing: pd.DataFrame, noun: str) -> ResultFigure:
    top = silencing.nlargest(_MOST_CANDIDATES, "strength", keep="first")
    column, what = ("motif", "motif") if "motif" in top else ("community", "community")
    groups = list(dict.fromkeys(top[column]))
    places = np.arange(len(top))
    figure = new_figure(0.75 + 0.2 * len(top), 5.0)
    ax = figure.subplots()
    colors = [community_color(groups.index(group)) for group in top[column]]
    ax.barh(places, top["strength"], color=colors, height=0.7)
    names = [str(name) for name in top["unit"]]
    if column == "motif":
        names = [f"{name} ({motif})" for name, motif in zip(names, top["motif"], strict=True)]
    ax.set_yticks(places, names, fontsize=7.5)
    ax.set_ylim(len(top) - 0.4, -0.6)
    ax.tick_params(axis="y", length=0)
    ax.set_xlabel(f"affinity to its {what}, above expectation")
    return ResultFigure(
        name="connectome-silencing",
        title="Candidates for silencing",
        caption=(
            f"{noun[0].upper()}{noun[1:]}s that hold their {what} together most: the sum of their "
            f"affinities to its other members. One colour is one {what}, in this figure only. They "
            "are candidates for an experiment, not drivers: an affinity has no direction, so that "
            f"a {noun} that only listens to the others scores like one that drives them, and on "
            "simulated networks with one driver the plain strength of static correlation names it "
            "as well."
        ),
        figure=figure,
    )
