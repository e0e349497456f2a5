"""Methods texts say what was done under the settings, and cite it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from neuropipe.connectome.rank import RankTable
from neuropipe.connectome.settings import ConnectomeSettings
from neuropipe.connectome.stability import Bootstrap
from neuropipe.connectome.text import REFERENCES, group_methods, recording_methods
from neuropipe.results import cited
from tests.unit.connectome.fitted import SETTINGS, animals, fitted, of_one

_RANKS = RankTable(
    ranks=np.array([2, 4]), errors=np.ones((2, 3)), variance=np.ones(2), similarity=np.ones(2),
    held_out=np.ones((2, 3)), knee=4, chosen=2, reason="starts agree to 0.91",
)  # fmt: skip


def changed(**change):
    return ConnectomeSettings.model_validate(SETTINGS.model_dump() | change)


def test_a_dataset_s_text_tells_what_was_done():
    text = group_methods(animals(), fitted(), SETTINGS)
    for words in (
        "24 neurons in 4 recordings of 4 subjects", "92 % of them present",
        "in at least 50 % of the recordings", "Frame t is the same moment",
        "Gaussian, SD 0.5 s), differentiated", "cut at the 99.5 % quantile",
        "square root of the product", "smoothed over time (Gaussian, SD 1 s)",
        "276 pairs, 4 recordings and 90 samples", "2 non-negative components",
        "nothing is imputed", "Of 3 random starts (at most 60 iterations",
        "Their number was given.", "each of 5 windows", "without degree correction (set",
        "shortest of 3 descriptions", "The partitions of the best 3 starts", "19 data sets",
        "p at most 0.05", "3 refits on recordings drawn", "halves (of the recordings",
        "inside and outside the events",
    ):  # fmt: skip
        assert words in text, words
    assert "  " not in text
    assert "wiring" not in text
    assert list(cited(text, REFERENCES))[:4] == [
        "Dyballa2024", "Cichocki2009", "Newman2004", "Peixoto2018",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("change", "said", "unsaid"),
    [
        ({"affinity": {"kind": "min"}}, "the smaller of the sizes", "square root"),
        ({"affinity": {"kind": "prod", "cap": None}}, "change. Two neurons", "quantile"),
        (
            {"affinity": {"smoothing": 0}},
            "Each trace was differentiated",
            "Each trace was smoothed",
        ),
        ({"affinity": {"affinity_smoothing": 0}}, "was factorised", "smoothed over time"),
        ({"affinity": {"noise_floor": 1}}, "lessened by 1 of these SDs", "opposite directions"),
        ({"affinity": {"signed": True}}, "opposite directions", "lessened"),
        ({"communities": {"degree_correction": "held-out"}}, "left-out pairs better", "beforehand"),
        ({"wiring": ["a.csv"]}, "keeps its number of partners [Maslov2002]", "rewired"),
        ({"alpha": 0.1}, "p at most 0.1", "at most 0.05"),
    ],
)
def test_settings_change_the_text(change, said, unsaid):
    text = group_methods(animals(), fitted(), changed(**change))
    assert said in text
    assert unsaid not in text
    cited(text, REFERENCES)


def test_what_was_found_changes_the_text():
    fit = fitted()
    chosen = group_methods(animals(), replace(fit, ranks=_RANKS), SETTINGS)
    assert "chosen among 2, 4" in chosen
    assert "a tenth of the neurons of each recording was hidden; 3 folds" in chosen
    assert "Starts agree to 0.91." in chosen
    corrected = group_methods(animals(), replace(fit, degree_corrected=True), SETTINGS)
    assert "with degree correction [Karrer2011]" in corrected
    nothing = Bootstrap(np.empty((0, 2)), np.empty((0, 5, 24)), np.empty((0, 2, 24)))
    assert "Stability" not in group_methods(animals(), replace(fit, bootstrap=nothing), SETTINGS)
    merged = replace(animals(), merged={"N01L": "N01"}, events=animals().events.iloc[:0])
    text = group_methods(merged, fit, SETTINGS)
    assert "Left and right partners were averaged." in text
    assert "Westfall1993" not in text
    assert "left and right partners share" not in text
    units = animals().units.assign(homologue="n/a")
    units.loc[["N01L", "N01R"], "homologue"] = ["N01R", "N01L"]
    paired = group_methods(replace(animals(), units=units), fit, SETTINGS)
    assert "left and right partners share a community" in paired


def test_clocks_of_their_own_are_told():
    text = group_methods(animals("own"), replace(fitted("own"), ranks=_RANKS), SETTINGS)
    assert "Each of them keeps its own time." in text
    assert "each has its own course of every component" in text
    assert "over all samples and recordings" in text
    assert "half of the neurons there [Owen2009]" in text


@pytest.mark.parametrize(
    ("clock", "said"),
    [("shared", "courses times its weight"), ("own", "its own course of every component")],
)
def test_a_recording_s_text_tells_its_share(clock, said):
    found, _ = of_one(1, clock)
    text = recording_methods(found, "neuron", SETTINGS)
    for words in (
        "4 recordings, 2 non-negative components of its neuron-by-neuron",
        f"has {found.presence.sum()} of the 24 neurons", said, "3 equal stretches", "(3 runs",
    ):  # fmt: skip
        assert words in text, words
    assert set(cited(text, REFERENCES)) == {"Dyballa2024", "Newman2004", "Peixoto2018"}


def test_every_reference_is_cited_somewhere():
    ours = set()
    for clock in ("shared", "own"):
        for corrected in (False, True):
            fit = replace(fitted(clock), ranks=_RANKS, degree_corrected=corrected)
            ours |= set(
                cited(group_methods(animals(clock), fit, changed(wiring=["a"])), REFERENCES)
            )
    assert ours == set(REFERENCES)
