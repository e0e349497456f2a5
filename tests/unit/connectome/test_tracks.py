"""Communities keep their number while they keep their members."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from neuropipe.connectome.tracks import held_together, tracked

partitions = st.integers(1, 5).flatmap(
    lambda k: st.lists(
        st.lists(st.integers(-1, 3), min_size=9, max_size=9), min_size=k, max_size=k
    )
)  # fmt: skip


@given(partitions)
def test_numbers_tell_the_same_partition(labels):
    given_, found = np.array(labels), tracked(np.array(labels))
    assert ((given_ < 0) == (found < 0)).all()
    for before, after in zip(given_, found, strict=True):
        kept = before >= 0
        together = before[kept][:, None] == before[kept]
        assert (together == (after[kept][:, None] == after[kept])).all()


@given(partitions, st.permutations(range(4)))
def test_names_of_labels_do_not_matter(labels, names):
    known = np.array(labels)
    renamed = np.where(known < 0, -1, np.array(names)[known])
    together = [numbers[:, None] == numbers for numbers in (tracked(known), tracked(renamed))]
    assert (together[0] == together[1]).all()


def test_a_community_is_followed_over_a_window_without_it():
    numbers = tracked(
        np.array(
            [
                [0, 0, 0, 1, 1, 1, -1, -1],
                [-1, -1, -1, 0, 0, 0, 1, 1],
                [1, 1, 1, 1, -1, -1, 0, 0],
            ]
        )
    )
    assert numbers.tolist() == [
        [0, 0, 0, 1, 1, 1, -1, -1],
        [-1, -1, -1, 1, 1, 1, 2, 2],
        [0, 0, 0, 0, -1, -1, 2, 2],
    ]


def test_less_than_a_third_in_common_is_a_new_community():
    first = np.repeat([0, -1], [4, 6])
    third = np.array([-1, -1, 0, 0, 0, 0, -1, -1, -1, -1])  # 2 of 6
    less = np.array([-1, -1, 0, 0, 0, 0, 0, -1, -1, -1])  # 2 of 7
    assert set(tracked(np.stack([first, third]))[1]) == {-1, 0}
    assert set(tracked(np.stack([first, less]))[1]) == {-1, 1}


def test_what_is_left_over_is_no_community():
    labels = np.repeat([0, 1, 2], [4, 6, 2])
    graph = np.full((12, 12), 0.1)
    graph[:4, :4] = 1.0
    graph[-2:, -2:] = 1.0  # two units are no community
    assert held_together(graph, labels).tolist() == [0] * 4 + [-1] * 8
    graph[0, 1] = graph[1, 0] = np.nan
    np.fill_diagonal(graph, 0)
    assert held_together(graph, labels).tolist() == [0] * 4 + [-1] * 8
    assert (held_together(graph, np.zeros(12, dtype=int)) == -1).all()
