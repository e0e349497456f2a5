"""Settings of BrainMAE: model, masking, training, evaluation."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator

from neuropipe.prediction.settings import PredictionSettings
from neuropipe.settings import Settings, distinct
from neuropipe.training.settings import OptimisationSettings

Variant = Literal["sg", "ag", "fdg", "vanilla", "ae", "possg"]


class ModelSettings(Settings):
    """Architecture of BrainMAE (Yang et al. 2024, arXiv:2406.17086)."""

    variant: Variant = Field(
        default="sg",
        description="sg: static graph attention from ROI embeddings; ag: one static block, then "
        "self-attention; fdg: self-attention only, with ROI embeddings; vanilla: self-attention "
        "with a fixed positional code; ae: vanilla without masking; possg: static graph from a "
        "fixed positional code",
    )
    self_loops: bool = Field(
        default=False, description="whether a ROI attends to itself in static graph blocks"
    )
    qk_proj: bool = Field(
        default=False, description="whether static graph blocks project the embeddings first"
    )
    width: int = Field(default=64, ge=8, le=2048, description="d, of every hidden state")
    n_heads: int = Field(default=4, ge=1, le=64, description="attention heads")
    n_blocks: int = Field(default=2, ge=1, le=24, description="blocks over ROIs")
    ffn_factor: int = Field(default=2, ge=1, le=8, description="hidden units over width")
    n_encoder: int = Field(default=1, ge=1, le=24, description="Transformer layers over segments")
    n_decoder: int = Field(default=1, ge=1, le=24, description="the same, for pretraining only")
    dropout: float = Field(
        default=0.0, ge=0, lt=1, description="of hidden units; costs a fifth of the speed"
    )
    readout: Literal["flatten", "pool"] = Field(
        default="flatten",
        description="from ROIs to a segment: one linear map of all, or attention pooling",
    )
    head: Literal["gated", "mlp", "segment"] = Field(
        default="gated",
        description="reconstruction from segment state, ROI state and ROI embedding: hidden units "
        "gated by each other, plain hidden units, or (ablation) without the ROI state",
    )
    bilinear_rank: int = Field(
        default=0, ge=0, le=256, description="rank of the term sum_r b_r(e_i) f_r(s_k); 0: none"
    )
    embedding_sd: float = Field(
        default=0.25, gt=0, le=2, description="sd of the initial ROI embeddings"
    )

    @model_validator(mode="after")
    def _consistent(self) -> ModelSettings:
        if self.width % self.n_heads or self.width % 2:
            raise ValueError("width is no even multiple of n_heads")
        return self


class SegmentSettings(Settings):
    """How runs become segments."""

    duration: float = Field(default=15.0, gt=0, le=120, description="s, tau: length of a segment")
    n_points: int = Field(default=16, ge=2, le=256, description="L: points of a segment")
    n_segments: int = Field(default=20, ge=2, le=256, description="K: segments of a crop")
    native_tr: bool = Field(
        default=False,
        description="L is duration / TR and no sample is resampled; needs one TR in all runs",
    )
    tr_augmentation: tuple[float, float] | None = Field(
        default=None,
        description="s, range of longer repetition times that training crops are resampled to, "
        "such as [0.7, 2.0]",
    )

    @model_validator(mode="after")
    def _resampled(self) -> SegmentSettings:
        if self.tr_augmentation is None:
            return self
        low, high = self.tr_augmentation
        if not 0 < low <= high <= self.duration:
            raise ValueError("tr_augmentation is no range of times between 0 and duration")
        if self.native_tr:
            raise ValueError("tr_augmentation resamples what native_tr leaves as it is")
        return self


class MaskSettings(Settings):
    """What is hidden, and how much it weighs."""

    low: float = Field(default=0.0, ge=0, le=0.95, description="smallest share of hidden ROIs")
    high: float = Field(
        default=0.8, ge=0, le=0.95, description="largest share; the same as low: a fixed share"
    )
    weight: float = Field(
        default=0.75, ge=0, le=1, description="lambda: weight of the error of hidden ROIs"
    )

    sign_flips: bool = Field(
        default=True,
        description="whether half of the training crops are negated: as likely, and twice the data",
    )

    @model_validator(mode="after")
    def _ordered(self) -> MaskSettings:
        if self.low > self.high:
            raise ValueError("low is above high")
        if self.high == 0 and self.weight == 1:
            raise ValueError("nothing is hidden, and only what is hidden counts")
        return self


class BrainmaeSettings(PredictionSettings):
    """Masked autoencoding of ROI time series, and what its embeddings predict."""

    model: ModelSettings = Field(default=ModelSettings(), description="architecture")
    segments: SegmentSettings = Field(default=SegmentSettings(), description="from runs to tokens")
    mask: MaskSettings = Field(default=MaskSettings(), description="masking and loss")
    pretraining: OptimisationSettings = Field(
        default=OptimisationSettings(
            learning_rate=8e-3, batch_size=4, max_steps=1500, steps_per_epoch=100, threads=1
        ),
        description="optimisation of the masked autoencoder; a sample is a crop of a run",
    )
    finetuning: OptimisationSettings = Field(
        default=OptimisationSettings(
            learning_rate=2e-4,
            batch_size=8,
            max_steps=100,
            steps_per_epoch=50,
            patience=0,
            threads=1,
        ),
        description="optimisation of a labelled task, after the head's start by ridge regression",
    )
    head_lr_scale: float = Field(
        default=5.0, gt=0, le=1000, description="learning rate of a label's head over the body's"
    )
    embedding_lr_scale: float = Field(
        default=5.0, gt=0, le=100, description="learning rate of ROI embeddings over the body's"
    )
    scaler: Literal["run", "dataset"] = Field(
        default="run",
        description="z-score of each ROI over its own run, or by the training runs' mean and sd",
    )
    validation_share: float = Field(
        default=0.1,
        ge=0,
        le=0.5,
        description="share of the training subjects on whom training is stopped early; none of "
        "fewer than ten",
    )
    seeds: tuple[int, ...] = Field(
        default=(0,),
        min_length=1,
        description="one partition into folds and one set of networks a seed; three or more tell "
        "the spread over seeds",
    )
    pretrain_with: tuple[str, ...] = Field(
        default=(),
        description="other datasets of the same parcellation whose recordings join pretraining",
    )
    weights_of: str = Field(
        default="",
        description="dataset whose pretrained weights are used, of the same parcellation; none: "
        "its own",
    )
    finetune: tuple[Literal["frozen", "full", "scratch"], ...] = Field(
        default=("frozen", "full", "scratch"),
        description="how targets are predicted: ridge on frozen embeddings, all weights "
        "fine-tuned, the same network from random weights",
    )
    pool: tuple[Literal["token", "dynamics", "connectivity"], ...] = Field(
        default=("connectivity", "dynamics"),
        min_length=1,
        description="features of a run that labels are told from: correlation between the states "
        "of ROIs, how far these states move between segments, the run's token (the paper's)",
    )
    finetune_mask: float = Field(
        default=0.3,
        ge=0,
        le=0.95,
        description="largest share of ROIs hidden from a crop in fine-tuning, against overfitting",
    )
    baselines: tuple[
        Literal["correlation", "tangent", "svm", "windows", "hmm", "coskewness", "cnn", "graph"],
        ...,
    ] = Field(
        default=("correlation", "tangent"),
        description="what stands beside it in the same folds: FC and tangent space with ridge, FC "
        "with a linear SVM, sliding-window states, HMM states, co-skewness, and networks on FC "
        "(BrainNetCNN-like, graph transformer)",
    )
    peers: tuple[Literal["patch_mae", "jepa"], ...] = Field(
        default=(),
        description="other networks that are pretrained on the same runs for as many steps: a "
        "masked autoencoder of one token a ROI and segment, and joint-embedding prediction; slow",
    )
    reconstruction_baselines: tuple[
        Literal["mean", "interpolation", "AR", "PCA", "ridge", "Wiener", "spatio-temporal Wiener"],
        ...,
    ] = Field(
        default=("mean", "interpolation", "AR", "PCA", "ridge", "Wiener"),
        description="what stands beside the model in filling in hidden ROIs; the spatio-temporal "
        "Wiener filter, the best linear predictor within a segment, is slow",
    )
    connectome_networks: OptimisationSettings = Field(
        default=OptimisationSettings(
            learning_rate=1e-3,
            batch_size=16,
            max_steps=150,
            steps_per_epoch=50,
            patience=0,
            threads=1,
        ),
        description="optimisation of the networks on FC (cnn, graph)",
    )
    ratios: tuple[Annotated[float, Field(gt=0, lt=1)], ...] = Field(
        default=(0.2, 0.5, 0.8),
        min_length=1,
        description="shares of hidden ROIs at which reconstruction is scored",
    )
    max_missing: float = Field(
        default=0.1, ge=0, lt=1, description="share of missing samples above which a ROI is absent"
    )
    max_missing_rois: float = Field(
        default=0.2, ge=0, lt=1, description="share of absent ROIs above which a run is left out"
    )
    min_rois: int = Field(default=8, ge=4, description="fewer usable ROIs than this are refused")
    max_rois: int = Field(
        default=600, ge=8, description="more ROIs than this (voxels) are thinned by their names"
    )

    @field_validator(
        "pretrain_with",
        "finetune",
        "pool",
        "peers",
        "baselines",
        "reconstruction_baselines",
        "ratios",
    )
    @classmethod
    def _nothing_twice(cls, values: tuple[object, ...]) -> tuple[object, ...]:
        return distinct(values)

    @model_validator(mode="after")
    def _possible_number(self) -> BrainmaeSettings:
        if self.min_rois > self.max_rois:
            raise ValueError("min_rois is above max_rois")
        return self

    @field_validator("pretraining", "finetuning", "connectome_networks", mode="before")
    @classmethod
    def _over_defaults(cls, value: Any, info: ValidationInfo) -> Any:
        """A part of a section changes the section's own defaults, not those of all networks."""
        if not isinstance(value, dict):
            return value
        assert info.field_name is not None
        return cls.model_fields[info.field_name].get_default().model_dump() | value
