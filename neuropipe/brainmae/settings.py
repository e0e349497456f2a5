"""Settings of BrainMAE: model, masking, training, evaluation."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from neuropipe.prediction.settings import PredictionSettings
from neuropipe.settings import Settings
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


class MaskSettings(Settings):
    """What is hidden, and how much it weighs."""

    low: float = Field(default=0.0, ge=0, le=0.95, description="smallest share of hidden ROIs")
    high: float = Field(
        default=0.8, ge=0, le=0.95, description="largest share; the same as low: a fixed share"
    )
    weight: float = Field(
        default=0.75, ge=0, le=1, description="lambda: weight of the error of hidden ROIs"
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
            learning_rate=8e-3, batch_size=4, max_steps=1500, steps_per_epoch=100
        ),
        description="optimisation of the masked autoencoder; a sample is a crop of a run",
    )
    finetuning: OptimisationSettings = Field(
        default=OptimisationSettings(
            learning_rate=1e-3, batch_size=16, max_steps=150, steps_per_epoch=50, patience=0
        ),
        description="optimisation of a labelled task; the head learns ten times as fast",
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
    pool: tuple[str, ...] = Field(
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
    baselines: tuple[
        Literal["correlation", "tangent", "svm", "windows", "hmm", "coskewness", "cnn", "graph"],
        ...,
    ] = Field(
        default=("correlation", "tangent"),
        description="what stands beside it in the same folds: FC and tangent space with ridge, FC "
        "with a linear SVM, sliding-window states, HMM states, co-skewness, and networks on FC "
        "(BrainNetCNN-like, graph transformer)",
    )
    ratios: tuple[float, ...] = Field(
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
