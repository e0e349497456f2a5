"""Every error a user can see.

An error says what was given, what was expected and what to do, in one line. The command line prints
it on standard error and leaves with status 2; nothing is left half-written.
"""

from __future__ import annotations


class NeuropipeError(Exception):
    """Base of all errors that are the input's fault, not the program's.

    Parameters
    ----------
    given : str
        What was found, with the name of the file, key or column it was found in.
    expected : str
        What should have stood there.
    remedy : str
        What the user can do about it.
    """

    exit_status = 2

    def __init__(self, given: str, expected: str, remedy: str) -> None:
        self.given, self.expected, self.remedy = given, expected, remedy
        super().__init__(one_line(f"{given}; expected {expected}; {remedy}"))


class InputError(NeuropipeError):
    """A data file or array breaks its format or contradicts another one."""


class SettingsError(NeuropipeError):
    """A setting has an unknown name or an impossible value."""


class ManifestError(NeuropipeError):
    """The data manifest is malformed."""


class LockError(NeuropipeError):
    """A lock is missing or no longer matches the files."""


class FetchError(NeuropipeError):
    """A download failed or brought other bytes than the lock promises."""


class UnfitRecordingError(NeuropipeError):
    """A sound recording that an analysis cannot use (too short, too few units, no events...)."""


class ResultError(NeuropipeError):
    """A result folder is incomplete or breaks its contract."""


class MissingExtraError(NeuropipeError):
    """An optional dependency is not installed."""


def one_line(text: object, limit: int = 600) -> str:
    """Fold any text into one printable line of at most `limit` characters."""
    folded = " ".join(str(text).split())
    printable = "".join(c if c.isprintable() else "?" for c in folded)
    return printable if len(printable) <= limit else printable[: limit - 3] + "..."
