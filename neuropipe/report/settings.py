"""Options of the report pages and the card of the dataset they are about."""

from __future__ import annotations

from pydantic import Field

from neuropipe.settings import Settings

_MODALITIES = {
    "fmri": "fMRI",
    "calcium": "Calcium imaging",
    "spikes": "Spiking units",
    "images": "Responses to images",
}


class ReportSettings(Settings):
    """How results are printed."""

    digits: int = Field(
        default=3, ge=2, le=8, description="significant digits of printed numbers (no unit)"
    )
    key_metrics: int = Field(
        default=5,
        ge=1,
        le=20,
        description="metrics an analysis shows in the overview and the index, judged ones first",
    )
    rank_metric: str = Field(
        default="",
        description="quality metric that orders subjects with equal verdicts; "
        "empty: the first one that says which way is better",
    )


class DatasetCard(Settings):
    """What the pages say of a dataset; the manifest holds the same fields."""

    name: str = Field(min_length=1, description="key in the manifest")
    title: str = Field(min_length=1)
    modality: str = Field(min_length=1, description="fmri, calcium, spikes or images")
    license: str = Field(min_length=1)
    citation: str = Field(min_length=1, description="DOI or full reference")

    @property
    def modality_words(self) -> str:
        """The modality as a reader calls it."""
        return modality_words(self.modality)


def modality_words(modality: str) -> str:
    """Say a modality as a reader calls it; an unknown one stays as it is."""
    return _MODALITIES.get(modality, modality)
