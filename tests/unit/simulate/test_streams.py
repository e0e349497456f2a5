"""Random numbers: every purpose has its own, and nothing but the seed decides them."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from neuropipe.simulate import (
    calcium,
    calcium_files,
    calcium_hub,
    fmri,
    fmri_files,
    processes,
    representations_files,
    spikes_files,
    vision_files,
)
from neuropipe.simulate.settings import SIMULATIONS

SMALL = {
    "fmri": {"n_subjects": 2, "n_runs": 2, "n_rois": 20, "duration": 40},
    "calcium": {"n_animals": 3, "n_neurons": 40, "duration": 60, "epoch_order": "shuffled"},
    "hub": {"design": "hub", "n_animals": 3, "n_neurons": 40, "duration": 30},
    "spikes": {"n_subjects": 2, "n_units": 8, "duration": 30, "n_films": 1, "film_duration": 5},
    "vision": {"n_sessions": 2, "n_images": 10, "units_per_roi": 1},
    "representations": {"n_subjects": 2, "images_per_category": 4, "units_per_region": 9},
}
MODULES = (calcium, calcium_files, calcium_hub, fmri, fmri_files, representations_files,
           spikes_files, vision_files)  # fmt: skip


def made(name: str, folder, **update):
    kind = "calcium" if name == "hub" else name
    settings = SIMULATIONS[kind](**SMALL[name] | update)
    folder.mkdir()
    writer = {
        "fmri": fmri_files, "calcium": calcium_files, "spikes": spikes_files,
        "vision": vision_files, "representations": representations_files,
    }  # fmt: skip
    writer[kind].write(settings, folder)
    return {p.relative_to(folder): p for p in folder.rglob("*.nc")}


@pytest.mark.parametrize("name", sorted(SMALL))
def test_only_the_seed_decides_and_no_two_purposes_share_numbers(name, tmp_path, monkeypatch):
    used: dict[tuple[int, ...], set[tuple[int, ...]]] = {}

    def spy(seed, *keys):
        # A missing key counts as 0, so that keys of another length may be the same stream.
        used.setdefault(tuple(np.trim_zeros([seed, *keys], "b")), set()).add(keys)
        return processes.stream(seed, *keys)

    for module in MODULES:
        if hasattr(module, "stream"):
            monkeypatch.setattr(module, "stream", spy)
    np.random.seed(0)  # noqa: NPY002
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    one = made(name, tmp_path / "one", seed=3)
    assert np.array_equal(np.random.get_state()[1], before)  # noqa: NPY002
    assert len(used) >= 2
    assert all(len(keys) == 1 for keys in used.values())
    assert all(key[0] == 3 for key in used)

    np.random.seed(99)  # noqa: NPY002
    two, other = made(name, tmp_path / "two", seed=3), made(name, tmp_path / "other", seed=4)
    assert one
    assert one.keys() == two.keys() == other.keys()
    for key, path in one.items():
        first = xr.load_dataset(path)
        xr.testing.assert_identical(first, xr.load_dataset(two[key]))
        assert not first.equals(xr.load_dataset(other[key]))


def test_a_missing_key_counts_as_zero():
    """The trap that the notes of `stream` warn of."""
    a, b = processes.stream(3, 1), processes.stream(3, 1, 0)
    assert np.array_equal(a.random(3), b.random(3))
