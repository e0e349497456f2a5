"""Methods text with numbered citations, ready to paste."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

_MARK = re.compile(r"\[([^\[\]]+)\]")
_DOI = re.compile(
    r"(?:https?://(?:dx\.)?doi\.org/|doi:\s*)?(10\.\d{4,9}/[^\s<>\"'&;]+[^\s<>\"'&;.,)])"
)


@dataclass(frozen=True)
class CitedText:
    """Paragraphs with citation numbers and the list they point to.

    Parameters
    ----------
    paragraphs : tuple of str
        Plain text with ``[1]``, ``[2, 3]``.
    references : tuple of str
        Full references; the first is number 1.
    """

    paragraphs: tuple[str, ...]
    references: tuple[str, ...]


def number_citations(texts: Iterable[tuple[str, Mapping[str, str]]]) -> CitedText:
    """Replace ``[key]`` marks by numbers in the order of first citation.

    Parameters
    ----------
    texts : iterable of (str, mapping)
        Paragraphs, each with its references by key. A paragraph that comes again, and one that is
        empty, is dropped. Two keys with the same reference share a number.

    Returns
    -------
    CitedText
    -------
        A reference that no mark cites follows at the end, so that none is lost; brackets that hold
        no known key stay as they are.
    """
    numbers: dict[str, int] = {}
    paragraphs: dict[str, None] = {}
    uncited: list[str] = []
    for text, references in texts:
        paragraph = _numbered(" ".join(text.split()), references, numbers)
        if paragraph:
            paragraphs[paragraph] = None
        uncited += references.values()
    for reference in uncited:
        numbers.setdefault(reference, len(numbers) + 1)
    return CitedText(tuple(paragraphs), tuple(numbers))


def _numbered(text: str, references: Mapping[str, str], numbers: dict[str, int]) -> str:
    def number(found: re.Match[str]) -> str:
        keys = [key.strip().removeprefix("@") for key in re.split("[,;]", found[1])]
        if not all(key in references for key in keys):
            return found[0]
        cited = {numbers.setdefault(references[key], len(numbers) + 1) for key in keys}
        return f"[{', '.join(str(n) for n in sorted(cited))}]"

    return _MARK.sub(number, text)


def link_dois(text: str) -> Markup:
    """Escape text and turn each DOI in it into a link.

    A link is followed only when the reader clicks it; nothing is loaded with the page.
    """
    pieces: list[Markup] = []
    end = 0
    for found in _DOI.finditer(text):
        pieces.append(escape(text[end : found.start()]))
        pieces.append(Markup('<a href="https://doi.org/{0}">doi:{0}</a>').format(found[1]))
        end = found.end()
    pieces.append(escape(text[end:]))
    return Markup("").join(pieces)


def short_labels(recordings: Sequence[str], subject: str) -> dict[str, str]:
    """Name the recordings of a subject by what tells them apart.

    Parameters
    ----------
    recordings : sequence of str
        Names made of parts joined by ``_``; repetitions are allowed.
    subject : str

    Returns
    -------
    dict of str to str
        Label by name: without the subject and without the parts that all recordings share, so that
        twelve runs of a task are ``run-01`` to ``run-12``. A name of which nothing is left stays
        whole.
    """
    names = list(dict.fromkeys(recordings))
    parts = {name: name.split("_") for name in names}
    shared = {f"sub-{subject}", subject}
    if len(names) > 1:
        shared |= set.intersection(*(set(found) for found in parts.values()))
    labels = {n: "_".join(p for p in found if p not in shared) for n, found in parts.items()}
    unique = len(set(labels.values())) == len(names)
    return {name: (label if unique and label else name) for name, label in labels.items()}


def heading(analysis: str, title: str) -> str:
    """Heading of an analysis: its title, else its name in words."""
    return title.strip() or analysis.replace("_", " ").replace("-", " ").capitalize()
