"""Figures as image sources that need no other file.

A figure stands in the page as an `<img>`, not as inline SVG: ids of two drawings cannot clash,
nothing inside a drawing can run or load anything, and it still prints as vectors. The SVG is
percent-encoded, which is a quarter smaller than base64.
"""

from __future__ import annotations

import base64
import re
import struct
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from neuropipe.errors import ResultError
from neuropipe.plotting import WIDTH

_POINTS = {"pt": 1 / 72, "px": 1 / 96, "in": 1.0, "mm": 1 / 25.4, "cm": 1 / 2.54, "": 1 / 96}
_SIZE = re.compile(r"<svg[^>]*?\swidth=\"([0-9.]+)([a-z]*)\"")
_PROLOG = re.compile(r"<\?xml.*?\?>|<!DOCTYPE.*?>|<!--.*?-->|<metadata>.*?</metadata>", re.DOTALL)
#: Lengths in points; a scale or matrix is none, and a hundredth of it shrinks an image visibly.
_GEOMETRY = re.compile(
    r"\b(?:d|x|y|points)=\"[^\"]*\"|\btransform=\"(?![^\"]*(?:scale|matrix|skew))[^\"]*\""
)
_DECIMALS = re.compile(r"(\.\d\d)\d+")
_ID = re.compile(r"\sid=\"([^\"]*)\"")
_REFERENCE = re.compile(r"#([^\s\"');]+)")
_TAG = re.compile(r"<[^>]*>")
_QUOTES = str.maketrans("\"'", "'\"")
_SPACES = re.compile(r"\s+")
#: What may not stand in a URL or in an attribute between double quotes; the percent sign first.
_ENCODED = (
    ("%", "%25"), ('"', "%22"), ("#", "%23"), ("&", "%26"), ("<", "%3C"), (">", "%3E"),
)  # fmt: skip
_PNG = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True)
class Image:
    """An embedded figure.

    Parameters
    ----------
    source : Markup
        ``data:`` URI, safe inside a double-quoted attribute.
    width : float
        Width in inches at which its text has the size it was drawn with.
    """

    source: Markup
    width: float


def embed(path: Path) -> Image:
    """Turn a figure file into an image source.

    Parameters
    ----------
    path : Path
        An SVG or PNG file of a result folder.

    Raises
    ------
    ResultError
        If it cannot be read or is neither.
    """
    try:
        data = path.read_bytes()
        if data.startswith(_PNG):
            return _embed_png(data)
        return _embed_svg(data.decode("utf-8"))
    except (OSError, ValueError, struct.error) as error:
        raise ResultError(
            f"{path}: {error}", "an SVG or PNG figure", "delete the result folder and run again"
        ) from error


def _embed_svg(text: str) -> Image:
    size = _SIZE.search(text)
    if size is None or size[2] not in _POINTS:
        raise ValueError("no SVG with a width")
    # Single quotes need no code in a double-quoted attribute, and a tag may have either.
    text = _TAG.sub(lambda tag: tag[0].translate(_QUOTES), shrink_svg(text))
    for character, code in _ENCODED:
        text = text.replace(character, code)
    source = Markup("data:image/svg+xml;charset=utf-8," + text)  # noqa: S704 - encoded above
    return Image(source, float(size[1]) * _POINTS[size[2]])


def shrink_svg(text: str) -> str:
    """Drop what a browser does not draw, ids that nothing names, digits below 0.01 point.

    Parameters
    ----------
    text : str
        An SVG document.

    Returns
    -------
    str
        The same drawing on one line.
    """
    text = _PROLOG.sub("", text)
    text = _GEOMETRY.sub(lambda found: _DECIMALS.sub(r"\1", found[0]), text)
    used = set(_REFERENCE.findall(text))
    text = _ID.sub(lambda found: found[0] if found[1] in used else "", text)
    return _SPACES.sub(" ", text).strip()


def _embed_png(data: bytes) -> Image:
    (pixels,) = struct.unpack(">I", data[16:20])
    at = data.find(b"pHYs", 0, 4096)
    inches = WIDTH
    if at > 0:
        (per_metre,) = struct.unpack(">I", data[at + 4 : at + 8])
        inches = pixels / per_metre / 0.0254 if per_metre else WIDTH
    code = base64.b64encode(data).decode("ascii")
    return Image(Markup("data:image/png;base64," + code), inches)  # noqa: S704 - base64 alphabet
