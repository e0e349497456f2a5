"""Results to the sections of a page: pure functions that return HTML fragments.

Every text passes through jinja2 with autoescape, whatever it came from; only figures that
`neuropipe.report.images` encoded and links that `neuropipe.report.text` built are trusted.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import jinja2

from neuropipe.report.images import embed
from neuropipe.report.numbers import format_number
from neuropipe.report.settings import DatasetCard
from neuropipe.report.summary import QUALITY, Tally, shared_facts
from neuropipe.report.tables import explanations, metric_table, not_computed, recordings_table
from neuropipe.report.text import heading, link_dois, number_citations, short_labels
from neuropipe.results import GROUP, Result, ResultFigure

_INNERMOST = re.compile(r"[\[{][^\[\]{}]{0,90}[\]}]")  # short lists and objects go on one line
_BREAK = re.compile(r"\s*\n\s*")  # never inside a string: JSON escapes line breaks


@dataclass(frozen=True, kw_only=True)
class Section:
    """A part of a page.

    Parameters
    ----------
    title : str
        Heading, and entry of the table of contents; plain text.
    name : str
        Short name that the section is tagged with.
    html : str
        Its body, escaped.
    """

    title: str
    name: str
    html: str


@lru_cache(maxsize=1)
def _templates() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["link_dois"] = link_dois
    return environment


def render(template: str, **values: Any) -> str:
    """Fill a template of this package; all values are escaped."""
    return _templates().get_template(f"{template}.j2").render(**values)


def anchor(result: Result) -> str:
    """Id of a result's part of the page."""
    return f"np-{result.analysis}-{result.recording}"


def analysis_section(results: Sequence[Result], digits: int) -> Section:
    """Lay out one analysis: one recording in full, several as a table and folded parts.

    Parameters
    ----------
    results : sequence of Result
        Results of one analysis and one subject, at least one.
    digits : int
        Significant digits.
    """
    first = results[0]
    names = short_labels([r.recording for r in results], first.subject)
    labels = [names[r.recording] for r in results]
    anchors = [anchor(r) for r in results]
    several = len(results) > 1
    shared = shared_facts(results)
    warnings = [[*result.warnings, *not_computed([result])] for result in results]
    of_all = [w for w in warnings[0] if several and all(w in other for other in warnings)]
    parts = [
        {
            "anchor": anchor(result),
            "label": label,
            "tally": Tally.of(m.verdict for m in result.metrics),
            "facts": {k: v for k, v in result.facts.items() if k not in shared},
            "table": metric_table(result.metrics, digits, describe=not several),
            "figures": [_figure(figure, label if several else "") for figure in result.figures],
            "warnings": [w for w in found if w not in of_all],
        }
        for result, label, found in zip(results, labels, warnings, strict=True)
    ]
    html = render(
        "analysis",
        parts=parts,
        facts={} if first.analysis == QUALITY else shared,  # those of quality are in the overview
        table=recordings_table(results, labels, [f"#{a}" for a in anchors], digits)
        if several
        else None,
        explanations=explanations(results) if several else [],
        warnings=of_all,
    )
    title = heading(first.analysis, first.title)
    if first.recording == GROUP:
        title = f"{title} of the dataset"
    return Section(title=title, name=first.analysis, html=html)


def _figure(figure: ResultFigure, label: str) -> dict[str, Any]:
    assert figure.path is not None  # results that were read know their files
    image = embed(figure.path)
    return {
        "title": figure.title,
        "caption": figure.caption,
        "alt": f"{figure.title} ({label})" if label else figure.title,
        "source": image.source,
        "width": f"{image.width:.2f}",
    }


def methods_section(card: DatasetCard, results: Iterable[Result]) -> Section:
    """Write the text to paste, with numbered citations, and the references.

    Parameters
    ----------
    card : DatasetCard
        The data are cited first.
    results : iterable of Result
    """
    data = f"Data were taken from {card.title} [data] (licence: {card.license})."
    texts = [(data, {"data": card.citation})]
    texts += [(r.methods, r.references) for r in results]
    methods = number_citations(texts)
    return Section(title="Methods", name="methods", html=render("methods", methods=methods))


def provenance_section(results: Sequence[Result]) -> Section:
    """Tell what was run, with what, on which files.

    Parameters
    ----------
    results : sequence of Result
    """
    runs = [
        {
            "analysis": heading(r.analysis, r.title),
            "recording": "all of the dataset" if r.recording == GROUP else r.recording,
            "command": str(r.provenance.get("command", "")),
            "commit": str(r.provenance.get("git_commit") or ""),
            "device": str(r.provenance.get("device") or ""),
            "platform": str(r.provenance.get("platform") or ""),
            "seed": "" if r.provenance.get("seed") is None else str(r.provenance["seed"]),
            "wall_time": format_number(r.provenance.get("wall_time")),
        }
        for r in results
    ]
    columns = [
        ("recording", "Recording"), ("command", "Command"), ("commit", "Commit"),
        ("device", "Device"), ("platform", "Platform"), ("seed", "Seed"),
        ("wall_time", "Wall time (s)"),
    ]  # fmt: skip
    html = render(
        "provenance",
        runs=runs,
        columns=[(key, name) for key, name in columns if any(run[key] for run in runs)],
        software=_versions(results),
        settings=_settings(results),
        inputs=_inputs(results),
    )
    return Section(title="Provenance", name="provenance", html=html)


def _versions(results: Iterable[Result]) -> list[tuple[str, str]]:
    found: dict[str, dict[str, None]] = {}
    for result in results:
        for name, version in _mapping(result.provenance.get("software")).items():
            found.setdefault(name, {})[str(version)] = None
    return [(name, ", ".join(versions)) for name, versions in found.items()]


def _settings(results: Iterable[Result]) -> list[tuple[str, str]]:
    """Settings of each analysis as JSON, each wording once."""
    found: dict[tuple[str, str], None] = {}
    for result in results:
        settings = _mapping(result.provenance.get("settings"))
        if settings:
            text = json.dumps(settings, indent=1, ensure_ascii=False)
            text = _INNERMOST.sub(lambda part: _BREAK.sub(" ", part[0]), text)
            found[heading(result.analysis, result.title), text] = None
    return list(found)


def _inputs(results: Iterable[Result]) -> list[tuple[str, str]]:
    found: dict[tuple[str, str], None] = {}
    for result in results:
        for entry in result.provenance.get("inputs") or []:
            found[str(entry.get("path", "")), str(entry.get("sha256", ""))] = None
    return list(found)


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def problems_section(results: Iterable[Result], unfinished: Sequence[str] = ()) -> Section:
    """List what went wrong, or say that nothing did.

    Parameters
    ----------
    results : iterable of Result
        Their warnings, and their metrics without a value; the same words are printed once, with
        the recordings they were said of.
    unfinished : sequence of str
        Results that are not there, in words.
    """
    found: dict[tuple[str, str], list[str]] = {}
    for result in results:
        for text in (*result.warnings, *not_computed([result])):
            places = found.setdefault((heading(result.analysis, result.title), text), [])
            places.append("the dataset" if result.recording == GROUP else result.recording)
    warnings = [
        {"analysis": analysis, "text": text, "places": list(dict.fromkeys(places))}
        for (analysis, text), places in found.items()
    ]
    html = render("problems", warnings=warnings, unfinished=list(unfinished))
    return Section(title="Errors and warnings", name="problems", html=html)
