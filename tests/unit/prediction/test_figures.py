"""Figures of a prediction draw what the numbers say, also where a score is undefined."""

from __future__ import annotations

import numpy as np
import pytest

from neuropipe.prediction.figures import prediction_figures
from neuropipe.prediction.rows import Row, TargetResult
from neuropipe.prediction.targets import Target
from neuropipe.stats.prediction_scores import Classification, Regression, Score


def _score(value, low=None, high=None, null=(0.4, 0.5, 0.6)):
    null = np.array(null, float)
    ends = (value - 0.1 if low is None else low, value + 0.1 if high is None else high)
    return Score(value, ends, float(np.mean(null)), 0.25, null)


def _classes(n_rows=2, names=("control", "patient"), undefined=False):
    rng = np.random.default_rng(0)
    labels = np.arange(40) % len(names)
    rows = []
    for k in range(n_rows):
        outputs = 1 if len(names) == 2 else len(names)
        score = _score(np.nan, np.nan, np.nan) if undefined else _score(0.6 + 0.05 * k)
        recall = {name: _score(0.5) for name in names}
        decision = rng.standard_normal((2, 40, outputs))
        rows.append(Row(f"model {k}", Classification(score, _score(0.5), recall, decision)))
    folds = np.stack([np.arange(40) // 8, np.arange(40) // 8])
    return TargetResult(Target("group", names, labels), rows, folds)


def _numbers(values=(0.3, -0.2)):
    rng = np.random.default_rng(1)
    truth = np.arange(40.0)
    truth[3] = np.nan
    rows = []
    for k, r2 in enumerate(values):
        predicted = truth + (5 + 20 * k) * rng.standard_normal((2, 40))
        scores = Regression(_score(r2, null=(-0.1, 0.0)), _score(0.5), _score(4.0), 9.0, predicted)
        rows.append(Row(f"model {k}", scores))
    return TargetResult(Target("age", (), truth), rows, np.zeros((2, 40), dtype=int))


def _texts(ax):
    return [text.get_text() for text in ax.texts]


def test_forest_holds_every_model_with_its_interval():
    (figure,) = prediction_figures([_classes(n_rows=6)])
    right = figure.figure.axes[1]
    assert [t.get_text() for t in right.get_yticklabels()] == [f"model {k}" for k in range(6)]
    assert _texts(right)[0] == "0.60, p = 0.25"
    lines = {round(line.get_xdata()[0], 3) for line in right.lines if len(line.get_xdata()) == 2}
    assert 0.5 in lines  # the interval of the first
    low, high = right.get_xlim()
    assert low < 0.4
    assert high > 0.95  # room for the numbers
    assert "of the first 4 models" in figure.caption
    assert "20 patient, 20 control" in figure.caption


def test_the_band_holds_most_of_the_null():
    null = np.linspace(0, 1, 1001)
    result = _classes(n_rows=1)
    scores = result.rows[0].scores
    row = Row("model", Classification(_score(0.7, null=null), scores.balanced_accuracy,
              scores.recall, scores.decision))  # fmt: skip
    (figure,) = prediction_figures([TargetResult(result.target, [row], result.folds)])
    band = figure.figure.axes[1].patches[0]
    assert band.get_x() == pytest.approx(0.025, abs=1e-3)
    assert band.get_width() == pytest.approx(0.95, abs=1e-3)


def test_undefined_scores_still_draw(tmp_path):
    (figure,) = prediction_figures([_classes(undefined=True)])
    figure.figure.savefig(tmp_path / "x.png")
    assert all(np.isfinite(ax.get_xlim()).all() for ax in figure.figure.axes)


def test_numbers_show_the_best_model_against_the_truth():
    (figure,) = prediction_figures([_numbers()])
    left = figure.figure.axes[0]
    points = left.collections[0].get_offsets()
    assert len(points) == 39  # one subject has no age
    assert np.corrcoef(points.T)[0, 1] > 0.8
    assert "highest R2, model 0" in figure.caption
    assert left.get_xlabel() == "true age"


def test_three_classes_show_recall_of_the_first_model():
    (figure,) = prediction_figures([_classes(names=("a", "b", "c"))])
    left = figure.figure.axes[0]
    assert [t.get_text() for t in left.get_yticklabels()] == ["a", "b", "c"]
    assert [patch.get_width() for patch in left.patches] == [0.5] * 3
    assert "first model (model 0)" in figure.caption


def test_names_are_safe_and_distinct():
    strange = _classes()
    strange = TargetResult(
        Target("a/b <c>" + "x" * 100, strange.target.classes, strange.target.values),
        strange.rows,
        strange.folds,
    )
    figures = prediction_figures([strange, strange, _numbers()])
    names = [figure.name for figure in figures]
    assert len(set(names)) == 3
    assert names[0].startswith("prediction-1-a-b-c-x")
    assert max(map(len, names)) <= 80
