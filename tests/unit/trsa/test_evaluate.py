"""Numbers and words of a subject: each metric is a number of the fit, beside chance."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from neuropipe.trsa.evaluate import subject_facts, subject_metrics, subject_warnings
from neuropipe.trsa.fit import fit_subject
from neuropipe.trsa.reliability import Reliability
from neuropipe.trsa.text import REFERENCES, group_methods, subject_methods
from tests.unit.trsa.subjects import scan, settings, spikes

CHOSEN = settings()


@pytest.fixture(scope="module")
def metrics(fits):
    return {metric.name: metric for metric in subject_metrics(fits[:1], CHOSEN)}


def test_reliability_stands_beside_chance_and_baseline(metrics, fits):
    whole = fits[0].regions[0]
    told = metrics["conditions told apart"]
    assert (told.value, told.unit, told.n) == (100.0, "%", 3)
    assert told.chance == pytest.approx(100 / 24)
    assert told.interval == (100.0, 100.0)
    assert f"p {whole.discrimination.p:.2g} by shuffled conditions" in told.description
    assert "left-out sets of repeats" in told.description
    halves = metrics["RDM repeats in halves"]
    assert halves.value == whole.reliability.value
    assert halves.chance == pytest.approx(whole.reliability.null.mean())
    assert halves.interval == whole.reliability.interval
    assert metrics["regions whose RDM repeats"].value == 4.0
    assert metrics["regions whose RDM repeats"].n == 4


def test_the_best_models_stand_beside_halves_and_what_is_beyond_others(metrics, fits):
    found = fits[0]
    table = found.regions[0].evaluation.table().sort_values("score", ascending=False)
    names = [f"model {name}" for name in table["model"][:4]]
    assert [name for name in metrics if name.startswith("model ")] == names
    for name, (_, row) in zip(names, table.iterrows(), strict=False):
        metric = metrics[name]
        assert metric.value == row["score"]
        assert metric.interval == (row["low"], row["high"])
        assert metric.baseline == found.regions[0].reliability.value
        assert f"p {row['p_permutation']:.2g} ({row['p_permutation_any']:.2g}" in metric.description
        k = found.controls.models.index(row["model"])
        beyond = f"Beyond pixels, colour, Gabor energy: {found.controls.partial[k]:.2f}."
        assert beyond in metric.description
    (test,) = found.regions[0].homology
    loops = metrics["longest-lived of the loops"]
    assert (loops.value, loops.better) == (test.largest, "")
    assert loops.chance == pytest.approx(np.median(test.null_largest))


def test_verdicts_follow_the_level(fits):
    strict = {m.name: m for m in subject_metrics(fits[:1], settings(alpha=0.001))}
    assert strict["conditions told apart"].verdict == "doubtful"  # 99 shuffles tell no more
    lenient = {m.name: m for m in subject_metrics(fits[:1], CHOSEN)}
    assert lenient["conditions told apart"].verdict == "good"
    assert lenient["conditions told apart"].bounds.startswith("good when p is at most 0.05")


def test_facts_name_patterns_folds_and_measure(fits):
    assert subject_facts(fits[:1]) == {
        "patterns": "24 conditions x 80 units in 4 regions",
        "folds": "3 sets of repeats",
        "dissimilarity": "crossnobis",
    }


def test_an_rdm_that_does_not_repeat_is_told(fits):
    assert not any("does not repeat" in words for words in subject_warnings(fits[:1], CHOSEN))
    whole, *rest = fits[0].regions
    poor = replace(whole, reliability=Reliability(0.1, 0.3, np.zeros(99), 3))
    said = subject_warnings([replace(fits[0], regions=(poor, *rest))], CHOSEN)
    assert any("does not repeat in halves of the data beyond chance (p 0.3)" in w for w in said)


# ---------------------------------------------------------------- methods


def cited_in(text):
    return {key for key in REFERENCES if f"[{key}]" in text}


def test_methods_say_what_was_done_to_pictures(fits, group):
    text = subject_methods(fits[:1], CHOSEN)
    for words in ("of 80 units and 24 conditions; 3 sets of repeats are the folds",
                  "(crossnobis), which noise does not bias", "shrunk to its diagonal",
                  "by rho-a; intervals come from 50 bootstrap draws", "99 relabellings",
                  "19 Gaussian clouds"):  # fmt: skip
        assert words in text, words
    assert {"Walther2016", "Schafer2005", "Schutt2023", "Lin2024"} <= cited_in(text)
    assert "Bernardi2020" not in cited_in(text)  # too many conditions for dichotomies
    other = subject_methods(fits[:1], settings(shrinkage="identity"))
    assert "Ledoit2004" in cited_in(other)
    assert "shrunk by 0.4" in subject_methods(fits[:1], settings(shrinkage=0.4))
    whole = group_methods(group, CHOSEN)
    for words in ("of 3 subjects over 24 conditions hold crossvalidated", "dual bootstrap",
                  "each left-out subject were given the region of the nearest mean"):  # fmt: skip
        assert words in whole, words
    few = group_methods(replace(group, new="subjects"), CHOSEN)
    assert "new subjects (variance over subjects)" in few


def test_methods_say_what_was_done_to_scans_and_spikes():
    scans = fit_subject([scan(k, f"0{k}") for k in (1, 2)], CHOSEN)
    text = subject_methods(scans, CHOSEN)
    assert "betas of a general linear model (glover response, cosine drifts up to 0.01 Hz" in text
    assert "ar1 noise), of 12 units and 4 conditions; 2 runs are the folds." in text
    assert "Model RDMs" not in text
    trials = fit_subject([spikes(kind=True)], settings(measure="poisson"))
    text = subject_methods(trials, CHOSEN)
    assert "mean rates in spikes/s, of 8 units" in text
    assert "the trials were parted into 6 folds in the order of time" in text
    assert "Kullback-Leibler divergences of Poisson rates" in text
    assert "covariance of the noise" not in text
    assert {"Bernardi2020", "Lampinen2024"} <= cited_in(text)
