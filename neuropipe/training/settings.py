"""Settings of the optimisation of a network."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from neuropipe.settings import Settings

Precision = Literal["auto", "32", "bf16"]
Device = Literal["auto", "cpu", "gpu"]


class OptimisationSettings(Settings):
    """AdamW (Loshchilov & Hutter 2019) with linear warm-up and cosine decay."""

    learning_rate: float = Field(
        default=3e-4, gt=0, lt=10, description="highest learning rate, reached after the warm-up"
    )
    weight_decay: float = Field(
        default=0.05,
        ge=0,
        lt=1,
        description="decoupled weight decay; biases, norms and 1-d parameters have none",
    )
    betas: tuple[
        Annotated[float, Field(ge=0, lt=1)],
        Annotated[float, Field(ge=0, lt=1)],
    ] = Field(default=(0.9, 0.95), description="decays of AdamW's two moments (He et al. 2022)")
    warmup: float = Field(
        default=0.05, ge=0, le=1, description="share of the steps over which the rate rises"
    )
    batch_size: int = Field(
        default=64, ge=1, description="samples of a micro-batch, on every process that trains"
    )
    accumulate: int = Field(
        default=1,
        ge=1,
        description="micro-batches whose gradients are averaged into one step; raise it and lower "
        "batch_size when memory is short",
    )
    clip: float = Field(
        default=1.0, ge=0, description="largest norm of a step's gradient; 0: no limit"
    )
    max_steps: int = Field(default=5000, ge=1, description="steps after which training ends")
    steps_per_epoch: int = Field(
        default=100, ge=1, description="steps between validations, checkpoints and log rows"
    )
    patience: int = Field(
        default=10,
        ge=0,
        description="validations without improvement by min_delta after which training stops; "
        "0: never before max_steps",
    )
    min_delta: float = Field(
        default=1e-4, ge=0, description="smallest improvement that patience counts, in its unit"
    )
    ema: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="decay a step of the exponential moving average of the weights that is "
        "validated and kept; 0: none, usual: 0.999",
    )
    precision: Precision = Field(
        default="auto",
        description="auto: bfloat16 autocast on a GPU that has it, else float32; 32; bf16",
    )
    device: Device = Field(default="auto", description="auto: the GPU where there is one")
    threads: int = Field(
        default=0, ge=0, description="CPU threads of a process; 0: all that torch finds"
    )
    compile: bool = Field(
        default=False, description="whether torch.compile makes the network faster (minutes, once)"
    )
    tensorboard: bool = Field(
        default=False, description="whether TensorBoard logs are written beside metrics.csv"
    )
