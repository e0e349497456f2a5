"""`neuropipe validate simulate`: what the generators claim, measured against thresholds."""

from __future__ import annotations

from importlib import import_module

from neuropipe.stats.checks import Check

#: Modules with a function ``checks() -> list[Check]``, one a generator.
MODULES = ("fmri_checks", "calcium_checks")


def checks() -> list[Check]:
    """Measure the claims of all generators; under a minute on one core.

    Returns
    -------
    list of Check
        One row a claim, in the order of `MODULES`.
    """
    rows: list[Check] = []
    for name in MODULES:
        rows += import_module(f"neuropipe.simulate.{name}").checks()
    return rows
