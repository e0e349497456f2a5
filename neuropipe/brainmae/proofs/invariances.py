"""What holds for every network: order of ROIs, hidden samples, attention, padding."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from neuropipe.brainmae.attention import SelfAttentionBlock, StaticGraphBlock
from neuropipe.brainmae.heldout import stacked
from neuropipe.brainmae.masking import draw_hidden
from neuropipe.brainmae.model import BrainMAE
from neuropipe.brainmae.proofs.cohorts import Plan, runs_of
from neuropipe.brainmae.segments import Segments
from neuropipe.brainmae.settings import BrainmaeSettings, ModelSettings
from neuropipe.stats.checks import Check, at_least, at_most

__all__ = ["attention_maps", "gradient_at_hidden", "padding_difference", "permutation_difference"]

_ROUNDING = 1e-5  # largest difference that float32 explains
_PLAN = Plan(n_training=2, n_test=0, duration=300.0)


def checks() -> list[Check]:
    """Measure the invariances on networks of random weights; seconds.

    Returns
    -------
    list of Check
        Check T3 of the validation plan.
    """
    settings = BrainmaeSettings()
    runs = runs_of((_PLAN.simulation(switching="loadings"), range(2)))
    segments = stacked(runs, settings)
    return [
        *_order(segments),
        *_leaks(segments),
        *_attention(segments),
        at_most(
            "T3 padding segments: largest change",
            max(padding_difference(network(segments, variant=v), segments, 13) for v in _KINDS),
            _ROUNDING,
            "7 segments of noise after 13 of the run; SG and AG",
        ),
    ]


_KINDS = ("sg", "ag")


def network(segments: Segments, **model: object) -> BrainMAE:
    """A network of random weights for some segments, large enough to do something.

    Parameters
    ----------
    segments : Segments
    **model
        Of `ModelSettings`.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        _, _, n_rois, n_points = segments.x.shape
        built = BrainMAE(ModelSettings.model_validate(model), n_rois, n_points)
        for weight in built.parameters():
            if weight.ndim > 1:
                weight.data.mul_(1.5)
    return built.eval()


def _drawn(segments: Segments, ratio: float = 0.5) -> Tensor:
    b, k, n, _ = segments.x.shape
    return draw_hidden(torch.full((b,), ratio), k, n, torch.Generator().manual_seed(0))


def _order(segments: Segments) -> list[Check]:
    worst = {
        (variant, readout): permutation_difference(
            network(segments, variant=variant, readout=readout), segments
        )
        for variant in _KINDS
        for readout in ("pool", "flatten")
    }
    about = "half of the ROIs hidden; "
    return [
        at_most("T3 ROIs in another order, with their embeddings: largest change",
                max(worst[variant, "pool"] for variant in _KINDS), _ROUNDING,
                about + "read-out by pooling; SG and AG"),
        at_most("T3 the same with the linear read-out's columns: largest change",
                max(worst[variant, "flatten"] for variant in _KINDS), _ROUNDING,
                about + "read-out flattened; SG and AG"),
        at_least("T3 ROIs in another order without their embeddings: largest change",
                 permutation_difference(network(segments, readout="pool"), segments, carry=False),
                 0.01, "control"),
    ]  # fmt: skip


def permutation_difference(model: BrainMAE, segments: Segments, *, carry: bool = True) -> float:
    """Largest change of the output when ROIs are given in another order, put back in order.

    Parameters
    ----------
    model : BrainMAE
    segments : Segments
    carry : bool
        Whether what belongs to a ROI (embedding, columns of a flattened read-out) goes with it.
    """
    hidden = _drawn(segments)
    n_rois = segments.x.shape[2]
    order = torch.randperm(n_rois, generator=torch.Generator().manual_seed(1))
    kept = {name: value.clone() for name, value in model.state_dict().items()}
    with torch.no_grad():
        plain = _output(model, segments, hidden)
        if carry:
            moved = {"embedding": kept["embedding"][order]}
            flat = "encoder.readout.linear.weight"
            if flat in kept:
                by_roi = kept[flat].view(len(kept[flat]), n_rois, -1)
                moved[flat] = by_roi[:, order].flatten(1)
            model.load_state_dict({**kept, **moved})
        turned = Segments(
            segments.x[:, :, order], segments.valid, segments.present[:, :, order], segments.start
        )
        found = _output(model, turned, hidden[:, :, order])
        model.load_state_dict(kept)
    return float((found - plain[:, :, order]).abs().max())


def _output(model: BrainMAE, segments: Segments, hidden: Tensor) -> Tensor:
    given = segments.present & ~hidden
    out: Tensor = model(segments.x, given, segments.valid, segments.start)
    return out


def _leaks(segments: Segments) -> list[Check]:
    every = {
        f"{variant}{', self-loops' if loops else ''}": gradient_at_hidden(
            network(segments, variant=variant, self_loops=loops), segments
        )
        for variant in ("sg", "ag", "vanilla")
        for loops in (False, True)
    }
    leaky = gradient_at_hidden(network(segments, self_loops=True), segments, leaky=True)
    return [
        at_most("T3 gradient of all outputs at hidden samples: largest", max(every.values()), 0.0,
                f"exactly 0; {', '.join(every)}"),
        at_least("T3 the same with self-loops and a mask that leaks: largest", leaky, 1e-6,
                 "control"),
    ]  # fmt: skip


def gradient_at_hidden(model: BrainMAE, segments: Segments, *, leaky: bool = False) -> float:
    """Largest gradient of a random mix of all outputs with respect to hidden samples.

    Parameters
    ----------
    model : BrainMAE
    segments : Segments
    leaky : bool
        Whether hidden ROIs are given to the network all the same.
    """
    hidden = _drawn(segments)
    x = segments.x.clone().requires_grad_()
    given = segments.present if leaky else segments.present & ~hidden
    out = model(x, given, segments.valid, segments.start)
    mix = torch.randn(out.shape, generator=torch.Generator().manual_seed(2))
    (gradient,) = torch.autograd.grad((out * mix).sum(), x)
    return float(gradient[hidden].abs().max())


def _attention(segments: Segments) -> list[Check]:
    static, adaptive = (
        attention_maps(network(segments, variant=variant), segments) for variant in _KINDS
    )
    two = [maps[-1] for maps in (static, adaptive)]  # of the last block
    between = [float((maps[0] - maps[1]).abs().max()) for maps in two]
    return [
        at_most("T3 SG attention of two subjects: largest difference", between[0], 0.0,
                "attention that the last block applied to each subject's run alone"),
        at_least("T3 AG attention of two subjects: largest difference", between[1], 1e-3,
                 "last block, first segment"),
    ]  # fmt: skip


def attention_maps(model: BrainMAE, segments: Segments) -> list[Tensor]:
    """Attention over ROIs that each block applied to each subject's first segment.

    Parameters
    ----------
    model : BrainMAE
    segments : Segments
        Of b subjects, who are shown to the network one by one.

    Returns
    -------
    list of tensors of shape (b, h, n, n)
        One a block.
    """
    found: list[list[Tensor]] = [[] for _ in model.encoder.blocks]

    def keep(place: int, block: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        if isinstance(block, StaticGraphBlock):
            found[place].append(inputs[1])
        elif isinstance(block, SelfAttentionBlock):
            found[place].append(block.attention(inputs[0][:1])[0])

    hooks = [
        block.register_forward_pre_hook(
            lambda module, inputs, place=place: keep(place, module, inputs)
        )
        for place, block in enumerate(model.encoder.blocks)
    ]
    with torch.no_grad():
        for run in range(len(segments.x)):
            rows = slice(run, run + 1)
            model.encode(
                segments.x[rows], segments.present[rows], segments.valid[rows], segments.start[rows]
            )
    for hook in hooks:
        hook.remove()
    return [torch.stack(maps) for maps in found]


def padding_difference(model: BrainMAE, segments: Segments, n_valid: int) -> float:
    """Largest change of output and run state when segments of padding follow a run.

    Parameters
    ----------
    model : BrainMAE
    segments : Segments
    n_valid : int
        Segments of the run; the others become padding that holds noise.
    """
    hidden = _drawn(segments)
    short = Segments(*(part[:, :n_valid] for part in _parts(segments)))
    noise = np.random.default_rng(0).standard_normal(segments.x[:, n_valid:].shape)
    x = torch.cat([short.x, torch.from_numpy(9 * noise).float()], dim=1)
    valid = segments.valid.clone()
    valid[:, n_valid:] = False
    padded = Segments(x, valid, segments.present, segments.start)
    with torch.no_grad():
        outputs = [
            (
                _output(model, one, hidden[:, : one.x.shape[1]])[:, :n_valid],
                model.encode(one.x, one.present, one.valid, one.start).run,
            )
            for one in (short, padded)
        ]
    return max(float((a - b).abs().max()) for a, b in zip(*outputs, strict=True))


def _parts(segments: Segments) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    return segments.x, segments.valid, segments.present, segments.start
