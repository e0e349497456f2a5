from __future__ import annotations

import nibabel
import numpy as np
import pandas as pd
import pytest

from neuropipe.errors import FetchError, InputError, SettingsError
from neuropipe.ingest.atlases import IMAGE, TABLE, atlas_call, atlas_folder, fetch_atlas
from neuropipe.ingest.label_tables import read_labels
from tests.bids_files import AFFINE, block_labels


def stand_in(**fields):
    """A function that returns what nilearn's would, and remembers how it was called."""
    calls = []

    def fetch(**arguments):
        calls.append(arguments)
        return fields

    fetch.calls = calls
    return fetch


def labels_image(labels):
    return nibabel.Nifti1Image(block_labels(labels=labels), AFFINE)


def test_schaefer_becomes_a_table_with_networks_and_sides(tmp_path):
    names = ["Background", "7Networks_LH_Vis_1", "7Networks_LH_SomMot_1", "7Networks_RH_Vis_1",
             "7Networks_RH_SalVentAttn_Med_1"]  # fmt: skip
    nibabel.save(labels_image((1, 2, 3, 4)), tmp_path / "maps.nii.gz")
    fetch = stand_in(
        maps=str(tmp_path / "maps.nii.gz"),
        lut=pd.DataFrame({"index": range(5), "name": names, "color": "#000"}),
    )
    fetchers = {"fetch_atlas_schaefer_2018": fetch}
    fetch_atlas("schaefer-200-7", tmp_path / "atlas", downloads=tmp_path, fetchers=fetchers)
    assert fetch.calls == [
        {"n_rois": 200, "yeo_networks": 7, "resolution_mm": 2, "data_dir": str(tmp_path),
         "verbose": 0}
    ]  # fmt: skip
    table = read_labels(tmp_path / "atlas" / TABLE)
    assert list(table["name"]) == names[1:]
    assert list(table["network"]) == ["Vis", "SomMot", "Vis", "SalVentAttn"]
    assert list(table["hemisphere"]) == ["L", "L", "R", "R"]
    image = nibabel.load(tmp_path / "atlas" / IMAGE)
    np.testing.assert_array_equal(np.asarray(image.dataobj), block_labels(labels=(1, 2, 3, 4)))


def test_indices_of_the_table_are_kept(tmp_path):
    """AAL numbers its regions in thousands."""
    lut = pd.DataFrame(
        {
            "index": [0, 2001, 2002, 9170],
            "name": ["Background", "Precentral_L", "Precentral_R", "V"],
        }
    )
    fetch = stand_in(maps=labels_image((2001, 2002, 9170, 9170)), lut=lut)
    fetch_atlas("aal", tmp_path / "a", fetchers={"fetch_atlas_aal": fetch})
    assert list(read_labels(tmp_path / "a" / TABLE).index) == [2001, 2002, 9170]


def test_weighted_atlases(tmp_path):
    maps = nibabel.Nifti1Image(np.ones((3, 3, 3, 3), np.float64), AFFINE)
    msdl = stand_in(maps=maps, labels=["L Aud", "R Aud", "L Aud"], networks=["Aud", "Aud", "X"])
    fetch_atlas("msdl", tmp_path / "m", fetchers={"fetch_atlas_msdl": msdl})
    table = pd.read_csv(tmp_path / "m" / TABLE, sep="\t", keep_default_na=False)
    assert list(table["name"]) == ["L Aud", "R Aud", "L Aud 2"]
    assert list(table["network"]) == ["Aud", "Aud", "X"]
    assert list(table["index"]) == [1, 2, 3]
    assert nibabel.load(tmp_path / "m" / IMAGE).shape == (3, 3, 3, 3)
    frame = pd.DataFrame(
        {"component": [1, 2, 3], "difumo_names": ["A", "B", "C"], "yeo_networks7": ["x", "y", "z"]}
    )
    difumo = stand_in(maps=maps, labels=frame)
    fetch_atlas("difumo-64", tmp_path / "d", fetchers={"fetch_atlas_difumo": difumo})
    table = pd.read_csv(tmp_path / "d" / TABLE, sep="\t")
    assert list(table["name"]) == ["A", "B", "C"]
    assert list(table["network"]) == ["x", "y", "z"]
    few = stand_in(maps=maps, labels=["only"])
    with pytest.raises(InputError, match="3 maps, 1 names"):
        fetch_atlas("msdl", tmp_path / "m", fetchers={"fetch_atlas_msdl": few})
    assert len(pd.read_csv(tmp_path / "m" / TABLE, sep="\t")) == 3  # the older one stands


def test_failed_download_leaves_nothing(tmp_path):
    def offline(**arguments):
        raise ConnectionError("Name or service not known\nand more lines")

    with pytest.raises(FetchError, match="atlas aal: Name or service") as caught:
        fetch_atlas("aal", tmp_path / "a", fetchers={"fetch_atlas_aal": offline})
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["schaefer-200", "schaefer-250-7", "AAL", "../x", "", "difumo-7"])
def test_unknown_names_are_refused_with_the_known_ones(name):
    with pytest.raises(SettingsError, match="harvard-oxford"):
        atlas_call(name)
    with pytest.raises(SettingsError):
        atlas_folder(name, None)


def test_every_atlas_calls_an_existing_function_with_its_arguments():
    import inspect

    from nilearn import datasets

    for name in ("schaefer-1000-17", "aal", "harvard-oxford", "harvard-oxford-subcortical",
                 "destrieux", "basc-122", "msdl", "difumo-1024"):  # fmt: skip
        function, arguments = atlas_call(name)
        known = inspect.signature(getattr(datasets, function)).parameters
        assert {*arguments, "data_dir", "verbose"} <= set(known)


def test_folder_is_the_setting_or_the_cache(tmp_path):
    assert atlas_folder("aal", str(tmp_path)) == tmp_path
    assert atlas_folder("aal", None).parts[-2:] == ("atlases", "aal")
