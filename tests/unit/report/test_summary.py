from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from neuropipe.report.summary import (
    Tally,
    combine,
    common_facts,
    group_by_analysis,
    key_numbers,
    main_metric,
    shared_facts,
)
from neuropipe.results import Metric, Result


def result(*metrics: Metric, analysis: str = "quality", **facts: str) -> Result:
    return Result(analysis=analysis, dataset="d", recording="r", metrics=list(metrics), facts=facts)


def test_counts_are_said_worst_first() -> None:
    tally = Tally.of(["good", None, "bad", "good", "doubtful"])
    assert tally == Tally(bad=1, doubtful=1, good=2)
    assert tally.words() == "1 bad, 1 doubtful and 2 good checks"
    assert tally.short == "1 bad, 1 doubtful, 2 good"
    assert tally.worst == "bad"
    assert Tally(good=1).words() == "1 good check"
    assert Tally().words() == "no check with a verdict"
    assert Tally().worst is None


@given(st.lists(st.builds(Tally, *[st.integers(0, 9)] * 3), min_size=2))
def test_a_smaller_share_of_bad_checks_is_never_worse(tallies: list[Tally]) -> None:
    for better, worse in pairwise(sorted(tallies, key=lambda t: t.badness)):
        assert bool(better.total) >= bool(worse.total)
        if worse.total:
            assert better.bad * worse.total <= worse.bad * better.total


def test_recordings_are_combined_into_median_and_range() -> None:
    runs = [
        Metric(name="snr", value=v, verdict=w, better="higher", baseline=b)
        for v, w, b in [
            (3.0, "good", 1.0),
            (9.0, "bad", None),
            (None, None, 2.0),
            (4.0, "bad", 3.0),
        ]
    ]
    number = combine(runs)
    assert (number.metric.value, number.low, number.high) == (4.0, 3.0, 9.0)
    assert number.metric.baseline == 2.0
    assert number.metric.better == "higher"
    assert number.verdict_words == "bad in 2 of 3"
    alone = combine(runs[:1])
    assert (alone.low, alone.verdict_words) == (None, "good")


def test_key_numbers_take_judged_metrics_first() -> None:
    found = [
        result(Metric(name="plain", value=1.0), Metric(name="empty", value=None)),
        result(Metric(name="judged", value=2.0, verdict="good")),
    ]
    assert [n.metric.name for n in key_numbers(found, 5)] == ["judged", "plain"]
    assert [n.metric.name for n in key_numbers(found, 1)] == ["judged"]


def test_a_metric_without_any_value_orders_nothing() -> None:
    lost = Metric(name="lost", value=None, better="higher")
    found = [result(lost), result(lost, Metric(name="kept", value=1.0, better="lower"))]
    main = main_metric(found)
    assert main is not None
    assert main.name == "kept"
    assert main_metric(found, "lost") is None


def test_facts_are_joined_only_where_few_differ() -> None:
    runs = [result(task="rest", run=str(i), site="AB"[i % 2]) for i in range(4)]
    assert common_facts(runs) == {
        "task": "rest",
        "site": "A; B",
    }


def test_quality_comes_first_and_the_rest_keeps_its_order() -> None:
    names = ["trsa", "quality", "brainmae", "trsa"]
    groups = group_by_analysis([result(analysis=name) for name in names])
    assert {name: len(found) for name, found in groups.items()} == {
        "quality": 1, "trsa": 2, "brainmae": 1,
    }  # fmt: skip
    assert next(iter(groups)) == "quality"


def test_the_main_metric_is_named_or_the_first_with_a_direction() -> None:
    found = [
        result(Metric(name="a", value=1.0)),
        result(Metric(name="b", value=1.0, better="lower")),
    ]
    first, named = main_metric(found), main_metric(found, "a")
    assert first is not None
    assert named is not None
    assert (first.name, named.name) == ("b", "a")
    assert main_metric(found, "c") is None


def test_shared_facts_are_the_same_everywhere() -> None:
    runs = [result(task="rest", run="1"), result(task="rest", run="2"), result(task="rest")]
    assert shared_facts(runs) == {"task": "rest"}
    assert shared_facts(runs[:1]) == {"task": "rest", "run": "1"}
