"""What the settings of every generator share; apart, so that each kind's models may import it."""

from __future__ import annotations

from pydantic import Field

from neuropipe.settings import Settings


class Simulation(Settings):
    """Base of the settings of a generator."""

    seed: int = Field(default=0, ge=0, description="the same seed gives the same arrays")
