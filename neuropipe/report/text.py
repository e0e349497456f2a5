"""Methods text with numbered citations, ready to paste."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup, escape

_NUMBER = re.compile(r"(?<![\w.])(\d+(?:\.\d+)?)(?!\w)")
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
        Paragraphs, each with its references by key. Paragraphs that differ in their numbers alone
        become one with ranges; an empty one is dropped. Two keys with the same reference share a
        number.

    Returns
    -------
    CitedText
        A reference that no mark cites follows at the end, so that none is lost; brackets that hold
        no known key stay as they are.
    """
    numbers: dict[str, int] = {}
    paragraphs: dict[str, None] = {}
    uncited: list[str] = []
    for text, references in merge_numbers(texts):
        paragraph = _numbered(text, references, numbers)
        if paragraph:
            paragraphs[paragraph] = None
        uncited += references.values()
    for reference in uncited:
        numbers.setdefault(reference, len(numbers) + 1)
    return CitedText(tuple(paragraphs), tuple(numbers))


def merge_numbers(
    texts: Iterable[tuple[str, Mapping[str, str]]],
) -> list[tuple[str, Mapping[str, str]]]:
    """Make one of the paragraphs that differ in their numbers alone, as those of many runs do.

    Parameters
    ----------
    texts : iterable of (str, mapping)
        Paragraphs, each with its references by key.

    Returns
    -------
    list of (str, mapping)
        ``"shrinkage 0.06"`` and ``"shrinkage 0.21"`` become ``"shrinkage 0.06 to 0.21"``.
    """
    found: dict[tuple[Any, ...], list[list[str]]] = {}
    for text, references in texts:
        words = _NUMBER.split(" ".join(text.split()))  # words and numbers in turn
        found.setdefault((*words[::2], tuple(references.items())), []).append(words[1::2])
    merged: list[tuple[str, Mapping[str, str]]] = []
    for (first, *words, references), rows in found.items():
        spans = [_span(numbers) for numbers in zip(*rows, strict=True)]
        text = first + "".join(s + w for s, w in zip(spans, words, strict=True))
        merged.append((text, dict(references)))
    return merged


def _span(numbers: Sequence[str]) -> str:
    low, high = min(numbers, key=float, default=""), max(numbers, key=float, default="")
    return low if low == high else f"{low} to {high}"


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
