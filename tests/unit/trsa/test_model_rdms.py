"""Models of what is known of conditions, and of files, brought to the data's conditions."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from neuropipe.errors import InputError
from neuropipe.trsa.model_rdms import category_rdms, known_models, read_models
from neuropipe.trsa.rdms import RDMs

NAMES = ("cat", "dog", "house", "tool")


def model(conditions=NAMES, name="m", seed=0):
    n = len(conditions)
    values = np.random.default_rng(seed).random((1, n * (n - 1) // 2))
    return RDMs(values, tuple(conditions), "model", pd.DataFrame({"name": [name]}))


def test_columns_become_models():
    table = pd.DataFrame(
        {
            "kind": ["animal", "animal", "thing", "thing"],
            "alive": [True, True, False, False],
            "size": [1.0, 2.0, 9.0, 2.0],
            "code": [0, 1, 1, 0],
            "path": ["1.png", "2.png", "3.png", "4.png"],  # a name of each
            "same": ["x"] * 4,
            "partly": ["x", "n/a", "y", "y"],
            "gaps": [1.0, np.nan, 1.0, 2.0],
        },
        index=list(NAMES),
    )
    found = category_rdms(table)
    assert list(found.table["name"]) == ["kind", "size", "code"]  # alive parts them as kind does
    assert found.conditions == NAMES
    kind, size, code = found.dissimilarities
    np.testing.assert_array_equal(kind, [0, 1, 1, 1, 1, 0])
    np.testing.assert_allclose(size, [1, 8, 1, 7, 0, 7])
    np.testing.assert_array_equal(code, [1, 1, 0, 0, 1, 1])
    assert category_rdms(table[["path", "same"]]) is None


def test_models_are_ordered_by_name():
    given = model(("tool", "house", "extra", "dog", "cat"))
    found = known_models([given], NAMES)
    assert found.conditions == NAMES
    matrix = given.matrices[0]
    np.testing.assert_allclose(
        found.matrices[0], matrix[np.ix_([4, 3, 1, 0], [4, 3, 1, 0])]
    )  # fmt: skip


def test_models_without_names_count_by_order():
    nameless = model([f"condition {k + 1}" for k in range(4)])
    found = known_models([nameless], NAMES)
    assert found.conditions == NAMES
    np.testing.assert_array_equal(found.dissimilarities, nameless.dissimilarities)
    assert known_models([model([f"condition {k + 1}" for k in range(5)])], NAMES) is None


def test_models_of_other_things_do_not_apply():
    """As many conditions by other names are other conditions."""
    assert known_models([model(("a", "b", "c", "d"))], NAMES) is None
    both = known_models([model(("a", "b", "c", "d")), model()], NAMES)
    assert len(both) == 1
    assert known_models([], NAMES) is None


def test_a_model_that_lacks_conditions_is_refused():
    with pytest.raises(InputError, match="lacks 1 of 4 conditions \\(tool"):
        known_models([model(("cat", "dog", "house"))], NAMES)


def test_files_name_their_models(tmp_path):
    matrix = pd.DataFrame(model().matrices[0], index=NAMES, columns=NAMES)
    matrix.to_csv(tmp_path / "similarity.csv")
    np.save(tmp_path / "layers.npy", np.stack([model().matrices[0]] * 2))
    one, two = read_models([tmp_path / "similarity.csv", tmp_path / "layers.npy"])
    assert list(one.table["name"]) == ["similarity"]
    assert one.conditions == NAMES
    assert list(two.table["name"]) == ["layers 1", "layers 2"]
    joined = known_models([one, two], NAMES)
    assert list(joined.table["name"]) == ["similarity", "layers 1", "layers 2"]
    np.testing.assert_allclose(joined.dissimilarities[0], joined.dissimilarities[1])
    with pytest.raises(InputError, match="is not there"):
        read_models([tmp_path / "absent.csv"])
