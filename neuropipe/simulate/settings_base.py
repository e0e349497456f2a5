"""What the settings of every generator share; apart, so that each kind's models may import it."""

from __future__ import annotations

from pydantic import Field

from neuropipe.settings import Settings

_MOST_VALUES = 2_000_000_000


class Simulation(Settings):
    """Base of the settings of a generator."""

    seed: int = Field(default=0, ge=0, description="the same seed gives the same arrays")

    def refuse_absurd(self, n_values: float) -> None:
        """Refuse a dataset whose size no setting alone betrays.

        Parameters
        ----------
        n_values : float
            Numbers that the whole dataset would hold.

        Raises
        ------
        ValueError
            If they are over two billion, 8 GB in single precision.
        """
        if n_values > _MOST_VALUES:
            raise ValueError(f"{n_values:.2g} values in all, more than {_MOST_VALUES:.0e}")
