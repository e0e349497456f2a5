"""Weights come back as they were, or not at all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from neuropipe.atomic import atomic_folder
from neuropipe.training.errors import MismatchError, WeightsError
from neuropipe.training.weights import load_weights, plain, require_match, save_weights

CARD = {"sampling_rate": 0.5, "units": ["a", "b"], "scaler": {"mean": [0.1, -2.0]}}
scalars = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8)
values = st.recursive(
    scalars | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=8,
)
cards = st.dictionaries(st.text(min_size=1, max_size=6), values, max_size=4)
dtypes = st.sampled_from([torch.float32, torch.float64, torch.bfloat16, torch.int64, torch.bool])
shapes = st.lists(st.integers(0, 3), max_size=3)


def saved(folder: Path) -> Path:
    folder.mkdir()
    save_weights(folder, nn.Linear(3, 2).state_dict(), CARD)
    return folder


@given(st.dictionaries(st.text(min_size=1, max_size=9), st.tuples(dtypes, shapes)), cards)
def test_round_trip(
    tmp_path_factory: pytest.TempPathFactory, specs: dict[str, Any], card: dict[str, Any]
) -> None:
    specs.pop("__metadata__", None)
    state = {k: torch.arange(int(np.prod(s))).reshape(s).to(d) for k, (d, s) in specs.items()}
    folder = tmp_path_factory.mktemp("weights")
    save_weights(folder, state, card)
    found, again = load_weights(folder)
    assert found.keys() == state.keys()
    for name, value in state.items():
        assert found[name].dtype == value.dtype
        assert torch.equal(found[name], value)
    assert again == card
    require_match(again, card, "weights")


def test_shared_and_strided_tensors(tmp_path: Path) -> None:
    table = torch.randn(4, 6, requires_grad=True)
    state = {"one": table, "same": table, "turned": table.T, "part": table[::2, 1:3]}
    with atomic_folder(tmp_path / "weights") as folder:
        save_weights(folder, state, {"sizes": (4, np.int64(6)), "mean": np.ones(2)})
    found, card = load_weights(tmp_path / "weights")
    assert all(torch.equal(found[name], value) for name, value in state.items())
    assert card == {"sizes": [4, 6], "mean": [1.0, 1.0]}


@pytest.mark.parametrize("name", ["model.safetensors", "settings.json"])
def test_a_missing_file_is_named(name: str, tmp_path: Path) -> None:
    (saved(tmp_path / "w") / name).unlink()
    with pytest.raises(WeightsError, match=f"{name} is missing"):
        load_weights(tmp_path / "w")


@pytest.mark.parametrize(
    ("name", "content", "match"),
    [
        ("model.safetensors", b"", "announces a header"),
        ("model.safetensors", b"\xff" * 7 + b"\x7f{}", "announces a header"),
        ("model.safetensors", (2).to_bytes(8, "little") + b"{}", "another checksum"),
        ("settings.json", b"", "JSON of a card"),
        ("settings.json", b"\xff\xfe", "JSON of a card"),
        ("settings.json", b"[" * 100_000, "JSON of a card"),
        ("settings.json", b"[]", "has format 'list'"),
        ("settings.json", b'{"format": 99}', "has format 99"),
        ("settings.json", b'{"format": 1, "card": {}}', "lacks card or sha256"),
    ],
)
def test_damage_is_told_in_one_line(name: str, content: bytes, match: str, tmp_path: Path) -> None:
    (saved(tmp_path / "w") / name).write_bytes(content)
    with pytest.raises(WeightsError, match=match) as caught:
        load_weights(tmp_path / "w")
    assert "\n" not in str(caught.value)


def test_any_changed_byte_of_the_weights_is_noticed(tmp_path: Path) -> None:
    path = saved(tmp_path / "w") / "model.safetensors"
    content = path.read_bytes()
    for place in range(0, len(content), 7):
        changed = bytearray(content)
        changed[place] ^= 1
        path.write_bytes(changed)
        with pytest.raises(WeightsError):
            load_weights(tmp_path / "w")


def test_a_wrong_header_with_the_right_checksum(tmp_path: Path) -> None:
    import hashlib

    folder = saved(tmp_path / "w")
    content = (2).to_bytes(8, "little") + b"[]"
    (folder / "model.safetensors").write_bytes(content)
    card = json.loads((folder / "settings.json").read_text())
    card["sha256"] = hashlib.sha256(content).hexdigest()
    (folder / "settings.json").write_text(json.dumps(card))
    with pytest.raises(WeightsError, match="safetensors"):
        load_weights(folder)


def test_nan_has_no_place_in_a_card(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        save_weights(tmp_path, {}, {"mean": float("nan")})


@pytest.mark.parametrize(
    ("expected", "told"),
    [
        ({"sampling_rate": 0.8}, "sampling_rate of the weights is 0.5; expected 0.8"),
        ({"units": ("a", "c")}, r"units\[1\] of the weights is 'b'; expected 'c'"),
        ({"units": ["a"]}, "length of units of the weights is 2; expected 1"),
        ({"units": "a"}, r"units of the weights is \['a', 'b'\]; expected 'a'"),
        ({"scaler": {"mean": np.array([0.1, 2])}}, r"scaler.mean\[1\] of the weights is -2.0"),
        ({"scaler": {}}, r"scaler.mean of the weights is \[0.1, -2.0\]; expected missing"),
        ({"atlas": "x" * 900}, "atlas of the weights is missing; expected 'x{20,60}\\.\\.\\.;"),
        ({"sampling_rate": True}, "sampling_rate"),
    ],
)
def test_the_first_difference_is_named(expected: dict[str, Any], told: str) -> None:
    require_match(CARD, {"sampling_rate": np.float64(0.5)}, "fine")
    with pytest.raises(MismatchError, match=f"BrainMAE: {told}"):
        require_match(CARD, expected, "BrainMAE")


@given(cards, cards)
def test_a_match_is_equality_on_what_is_expected(
    card: dict[str, Any], expected: dict[str, Any]
) -> None:
    text = {k: json.dumps(plain(v), sort_keys=True) for k, v in card.items()}
    wanted = {k: json.dumps(plain(v), sort_keys=True) for k, v in expected.items()}
    # 1 and 1.0 are equal but have two texts
    equal = all(k in card and (text[k] == wanted[k] or card[k] == v) for k, v in expected.items())
    if all(text.get(k) == v for k, v in wanted.items()):
        require_match(card, expected, "weights")
    elif not equal:
        with pytest.raises(MismatchError) as caught:
            require_match(card, expected, "weights")
        assert len(str(caught.value)) <= 600


@given(cards.filter(bool), st.data())
def test_any_other_value_is_a_mismatch(card: dict[str, Any], data: st.DataObject) -> None:
    key = data.draw(st.sampled_from(sorted(card)))
    other = data.draw(values.filter(lambda v: v != card[key]))
    with pytest.raises(MismatchError):
        require_match(card, {**card, key: other}, "weights")
