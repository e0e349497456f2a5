"""Left and right partners among unit names: ROIs of two hemispheres, neurons of two body sides."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from neuropipe.errors import SettingsError
from neuropipe.recording import MISSING

MODES = ("auto", "alternating", "none")
_MIRROR = {"l": "r", "r": "l", "lh": "rh", "rh": "lh", "left": "right", "right": "left"}
_TOKEN = re.compile(r"(?<![A-Za-z0-9])(left|right|lh|rh|l|r)(?![A-Za-z0-9])", re.IGNORECASE)
# A word grown onto a name: "leftHippocampus", "HippocampusRight", "AVAL". Case marks the seam.
_GROWN = (
    re.compile(r"^(left|right|lh|rh)(?=[A-Z])"),
    re.compile(r"(?<=[a-z0-9])(Left|Right|LH|RH|L|R)$"),
    re.compile(r"(?<=[A-Z])(L|R)$"),
)


def pair_homologues(names: Sequence[str], mode: str = "auto") -> list[str]:
    """Name each unit's partner on the other side.

    Parameters
    ----------
    names : sequence of str, length n_units
        Unique names of the units.
    mode : {"auto", "alternating", "none"}
        ``auto`` pairs names that differ by one side token only (``_L``/``_R``, ``lh``/``rh``,
        ``Left``/``Right`` anywhere between separators; a final ``L``/``R`` as in the neurons
        AVAL and AVAR); ``alternating`` takes names 2k and 2k + 1 as left and right; ``none`` pairs
        nothing.

    Returns
    -------
    list of str, length n_units
        The partner's name, ``"n/a"`` where there is none among `names`. The relation is mutual.

    Raises
    ------
    SettingsError
        If `mode` is unknown, or ``alternating`` meets an odd number of names.
    """
    if mode == "none":
        return [MISSING] * len(names)
    if mode == "alternating":
        if len(names) % 2:
            raise SettingsError(
                f"homologues: alternating with {len(names)} units", "an even number", "use auto"
            )
        return [names[i + 1] if i % 2 == 0 else names[i - 1] for i in range(len(names))]
    if mode != "auto":
        raise SettingsError(f"homologues is {mode!r}", ", ".join(MODES), "correct it")
    known = set(names)
    first = {name: next((m for m in _mirrored(name) if m in known), MISSING) for name in names}
    return [p if p != MISSING and first[p] == name else MISSING for name, p in first.items()]


def sides(names: Sequence[str], homologues: Sequence[str], mode: str = "auto") -> list[str]:
    """Tell the side of each unit.

    Parameters
    ----------
    names, homologues : sequence of str, length n_units
        Names and the partners that `pair_homologues` gave them.
    mode : {"auto", "alternating", "none"}

    Returns
    -------
    list of str, length n_units
        ``"L"``, ``"R"`` or ``"n/a"``. On ``auto`` a separated side token is enough; a side letter
        grown onto a name counts only where the partner exists.
    """
    if mode == "none":
        return [MISSING] * len(names)
    if mode == "alternating":
        return ["LR"[i % 2] for i in range(len(names))]
    return [_side(n, h) for n, h in zip(names, homologues, strict=True)]


def keep_present(homologues: Sequence[str], names: Sequence[str]) -> list[str]:
    """Replace partners that are not among `names` by ``"n/a"``.

    Parameters
    ----------
    homologues : sequence of str
        Partners by name.
    names : sequence of str
        Units that are present.
    """
    known = set(names)
    return [h if h in known else MISSING for h in homologues]


def _mirrored(name: str) -> Iterator[str]:
    """Names that `name` would have on the other side, the likeliest first."""
    tokens = list(_TOKEN.finditer(name))
    for match in tokens:
        yield _swap(name, match)
    for pattern in _GROWN:
        match_grown = pattern.search(name)
        if match_grown:
            yield _swap(name, match_grown)
    if len(tokens) > 1:  # the side said twice: "L_V1_L"
        yield _TOKEN.sub(lambda m: _mirror_word(m.group()), name)


def _swap(name: str, match: re.Match[str]) -> str:
    return name[: match.start()] + _mirror_word(match.group()) + name[match.end() :]


def _mirror_word(word: str) -> str:
    other = _MIRROR[word.lower()]
    if word.isupper():
        return other.upper()
    return other.capitalize() if word[0].isupper() else other


def _side(name: str, homologue: str) -> str:
    if homologue != MISSING:
        # The first place where the two names differ is the side token itself.
        at = next(i for i, (a, b) in enumerate(zip(name, homologue, strict=False)) if a != b)
        return name[at].upper()
    match = _TOKEN.search(name)
    return match.group()[0].upper() if match else MISSING
