"""Sections to one HTML file, through `mne.Report`.

The file needs no network: MNE embeds its scripts and styles, figures are data URIs. The same
sections give the same bytes, since MNE's line with the time of day is replaced.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from neuropipe import __version__, plotting
from neuropipe.atomic import atomic_file
from neuropipe.report.sections import Section, render

_HERE = Path(__file__).parent
#: What MNE embeds for its own tables and code listings, which these pages have none of: 0.6 MB.
_UNUSED = (
    "bootstrap-table/bootstrap-table.min.js",
    "bootstrap-table/bootstrap-table.min.css",
    "bootstrap-table/bootstrap-table-copy-rows.min.js",
    "bootstrap-table/bootstrap-table-export.min.js",
    "bootstrap-table/tableExport.min.js",
    "bootstrap-icons/bootstrap-icons.mne.min.css",
    "highlightjs/highlight.min.js",
    "highlightjs/atom-one-dark-reasonable.min.css",
)
_CREATED = re.compile(r"Created on [^<]{0,40}? via")


def write_page(path: Path, title: str, sections: Iterable[Section]) -> None:
    """Write a page, whole or not at all.

    Parameters
    ----------
    path : Path
        The HTML file.
    title : str
        Title of the window and of the bar on top.
    sections : iterable of Section
        Their titles make the table of contents.
    """
    from mne.report import Report  # 1.2 s of imports

    report = Report(title=title, image_format="svg", verbose="ERROR")
    report.lang = "en"
    report.include = _without_unused(report.include)
    report.add_custom_css(render("colors", plotting=plotting) + _read("style.css"))
    report.add_custom_js(_read("script.js"))
    for section in sections:
        report.add_html(section.html, title=section.title, tags=(section.name,))
    with atomic_file(path) as temporary:
        report.save(temporary, open_browser=False, overwrite=True, verbose="ERROR")
        html = temporary.read_text(encoding="utf-8")
        temporary.write_text(_without_time(html), encoding="utf-8")


def _read(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")


def _without_unused(include: str) -> str:
    """Drop the parts of MNE's head that these pages do not use; an unknown one stays."""
    import mne.report

    folder = Path(mne.report.__file__).parent / "js_and_css"
    for name in _UNUSED:
        if (folder / name).is_file():
            include = include.replace((folder / name).read_text(encoding="utf-8"), "")
    return include


def _without_time(html: str) -> str:
    """Replace MNE's line with the time, the last of the page, by one that stays the same."""
    head, footer, tail = html.rpartition("<footer>")
    made = f"neuropipe {__version__} with"
    return head + footer + _CREATED.sub(made, tail, count=1)
