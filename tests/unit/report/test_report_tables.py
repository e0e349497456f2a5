from __future__ import annotations

from neuropipe.report.tables import explanations, metric_table, not_computed, recordings_table
from neuropipe.results import Metric, Result

FULL = Metric(
    name="decoding accuracy",
    value=0.741,
    description="Share of blocks decoded; higher is better.",
    baseline=0.5,
    baseline_name="nearest mean",
    chance=0.125,
    interval=(0.65, 0.82),
    n=96,
    seed=3,
    split="leave one run out",
    verdict="good",
    bounds="good from 0.5",
    better="higher",
)
BARE = Metric(name="length", value=302.5, unit="s")


def test_every_number_stands_beside_what_judges_it() -> None:
    table = metric_table([FULL, BARE], 3)
    assert [c.text for c in table.columns] == [
        "Measure", "Number", "Baseline", "Chance", "95 % interval", "n", "Split", "Verdict",
    ]  # fmt: skip
    full, bare = table.rows
    assert full.head.text == "decoding accuracy\u00a0↑"
    assert [c.text for c in full.cells] == [
        "0.741", "0.500", "0.125", "0.650 to 0.820", "96", "leave one run out", "",
    ]  # fmt: skip
    assert [c.note for c in full.cells] == [
        "", "nearest mean", "", "", "", "seed 3", "good from 0.5",
    ]  # fmt: skip
    assert full.cells[-1].verdict == "good"
    assert [c.text for c in bare.cells] == ["302\u00a0s", "", "", "", "", "", ""]


def test_a_column_without_content_is_left_out() -> None:
    assert [c.text for c in metric_table([BARE], 3).columns] == ["Measure", "Number"]


def test_recordings_are_rows_and_absent_metrics_blank() -> None:
    def made(*metrics: Metric) -> Result:
        return Result(analysis="a", dataset="d", recording="r", metrics=list(metrics))

    empty = Metric(name="drift", value=None, description="No baseline.")
    table = recordings_table(
        [made(FULL, empty), made(BARE)], ["run-1", "run-2"], ["#one", "#two"], 3
    )
    assert [(c.text, c.note) for c in table.columns] == [
        ("Recording", ""), ("decoding accuracy\u00a0↑", ""), ("length", "s"),
    ]  # fmt: skip
    assert [(r.head.text, r.head.link) for r in table.rows] == [
        ("run-1", "#one"),
        ("run-2", "#two"),
    ]
    assert [[c.text for c in r.cells] for r in table.rows] == [["0.741", ""], ["", "302"]]
    assert [[c.sort for c in r.cells] for r in table.rows] == [[0.741, None], [None, 302.5]]
    assert not_computed([made(empty)]) == ["drift could not be computed. No baseline."]


def test_a_direction_is_explained_once() -> None:
    silent = Metric(name="snr", value=1.0, better="lower", bounds="good up to 2")
    found = [Result(analysis="a", dataset="d", recording="r", metrics=[FULL, silent])] * 2
    assert explanations(found) == [
        ("decoding accuracy", "Share of blocks decoded; higher is better. Good from 0.5."),
        ("snr", "Lower is better. Good up to 2."),
    ]


def test_a_seed_without_a_split_has_its_own_column() -> None:
    seeded = Metric(name="rate", value=1.0, seed=0)
    table = metric_table([seeded], 3)
    assert [c.text for c in table.columns] == ["Measure", "Number", "Seed"]
    assert table.rows[0].cells[-1].text == "0"
    beside = metric_table([seeded, FULL], 3)
    assert [c.text for c in beside.columns][-2] == "Split"
    assert beside.rows[0].cells[-2].text == "seed 0"
