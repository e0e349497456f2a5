"""The demonstration shows the ratios that are proven, and maps that fall apart by topology."""

from __future__ import annotations

import numpy as np
import pytest

from neuropipe.trsa.proofs.shapes import shape_ratios
from neuropipe.trsa.proofs.shapes_figure import figures


def titled(figure, title):
    (ax,) = (ax for ax in figure.axes if title in (ax.get_title(loc="left"), ax.get_title()))
    return ax


def test_the_demonstration_shows_what_is_proven(tmp_path):
    figure = figures()["shapes"]
    figure.savefig(tmp_path / "shapes.svg")
    ratios = shape_ratios()
    heights = [bar.get_height() for bar in titled(figure, "shape : topology").patches]
    assert heights == pytest.approx([ratios[name] for name in ("RDM", "RGTM", "RGDM")])
    assert sum(len(ax.images) for ax in figure.axes) == 12
    # By geodesics shapes of one topology are nearest to each other, by distances those of one form.
    partner = {"RDM": 2, "RGDM": 1}
    for kind, step in partner.items():
        places = np.array(
            [line.get_xydata()[0] for line in titled(figure, f"shapes by {kind}").lines]
        )
        gaps = np.linalg.norm(places[0] - places[1:], axis=1)
        assert gaps.argmin() + 1 == step
