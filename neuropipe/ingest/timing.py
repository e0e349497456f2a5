"""The repetition time of a scan: what its sidecar, its header and the settings say of it."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from neuropipe.errors import InputError

_TOLERANCE = 0.01  # headers round; a disagreement over 1 % is one of two different scans
_LONGEST = 100.0  # s; no scanner waits longer between two volumes
_PER_SECOND = {"sec": 1.0, "msec": 1e3, "usec": 1e6}


def repetition_time(
    where: str,
    sidecar: Mapping[str, Any],
    header: float | None = None,
    setting: float | None = None,
) -> float:
    """Settle on the time between two volumes.

    Parameters
    ----------
    where : str
        The data file, for errors.
    sidecar : mapping
        Merged JSON sidecars: ``RepetitionTime`` (s), ``VolumeTiming`` (s) or
        ``SamplingFrequency`` (Hz).
    header : float, optional
        What the image header says, in s; see `header_repetition_time`.
    setting : float, optional
        The reading option, in s. It overrules the header, which resampling tools often leave at a
        default, but not a sidecar.

    Returns
    -------
    float
        In s.

    Raises
    ------
    InputError
        If none says it, one is impossible, or two differ by more than 1 %.
    """
    said = {
        "sidecar": _sidecar_time(where, sidecar),
        "header": header if setting is None else None,
        "read.repetition_time": setting,
    }
    known = {source: value for source, value in said.items() if value is not None}
    if not known:
        raise InputError(
            f"{where} has no repetition time",
            "RepetitionTime in its JSON sidecar",
            "add it there, or set read.repetition_time (s)",
        )
    source, value = next(iter(known.items()))
    for other, second in known.items():
        if abs(second - value) > _TOLERANCE * value:
            raise InputError(
                f"{where}: repetition time is {value:g} s in its {source}, {second:g} s in {other}",
                "one repetition time",
                "correct the wrong one; read.repetition_time overrules a header",
            )
    return value


def header_repetition_time(zoom: float, unit: str) -> float | None:
    """Read the fourth voxel size of a NIfTI header.

    Parameters
    ----------
    zoom : float
        ``pixdim[4]``.
    unit : str
        Time unit as nibabel names it: ``sec``, ``msec``, ``usec``, ``unknown``...

    Returns
    -------
    float or None
        In s; None where the header leaves it unset: 0, not finite, a frequency, or the 1 of an
        unknown unit that converters write by default. Over 100 "s" are taken as ms, a
        mislabelling too common to refuse; the sidecar still has to agree.
    """
    if not 0 < zoom < float("inf") or unit not in ("unknown", *_PER_SECOND):
        return None
    if unit == "unknown" and zoom == 1:
        return None
    value = zoom / _PER_SECOND.get(unit, 1.0)
    return value / 1e3 if value > _LONGEST else value


def _sidecar_time(where: str, sidecar: Mapping[str, Any]) -> float | None:
    value = sidecar.get("RepetitionTime")
    if value is None:
        value = _uniform_step(where, sidecar.get("VolumeTiming"))
    if value is None:
        # Some tools write the text "TR" there, which says nothing.
        rate = sidecar.get("SamplingFrequency")
        usable = isinstance(rate, int | float) and not isinstance(rate, bool) and rate > 0
        value = 1 / rate if usable and rate is not None else None
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e9:
        raise InputError(
            f"{where}: its sidecar has RepetitionTime {value!r}", "a time in s", "correct it"
        )
    if value > _LONGEST:
        raise InputError(
            f"{where}: its sidecar has a repetition time of {value:g} s",
            "seconds (are these milliseconds?)",
            "correct RepetitionTime",
        )
    return float(value)


def _uniform_step(where: str, times: Any) -> float | None:
    if not isinstance(times, list) or len(times) < 2:
        return None
    try:
        steps = [float(b) - float(a) for a, b in pairwise(times)]
    except (TypeError, ValueError) as error:
        raise InputError(f"{where}: VolumeTiming: {error}", "times in s", "correct it") from error
    step = sorted(steps)[len(steps) // 2]
    if any(abs(s - step) > _TOLERANCE * abs(step) for s in steps):
        raise InputError(
            f"{where}: VolumeTiming has steps of {min(steps):g} to {max(steps):g} s",
            "evenly spaced volumes",
            "resample the run, or leave it out",
        )
    return step
