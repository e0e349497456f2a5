"""Pairs are found by name, and named without their side."""

from __future__ import annotations

import numpy as np
import pytest

from neuropipe.connectome.merging import common_name, known_pairs, merge_rows, merged_names


@pytest.mark.parametrize(
    ("left", "right", "name"),
    [
        ("AVAL", "AVAR", "AVA"),
        ("IL2DL", "IL2DR", "IL2D"),
        ("N01L", "N01R", "N01"),
        ("7Networks_LH_Vis_1", "7Networks_RH_Vis_1", "7Networks_Vis_1"),
        ("Left-Hippocampus", "Right-Hippocampus", "Hippocampus"),
        ("leftHippocampus", "rightHippocampus", "Hippocampus"),
        ("Precentral_L", "Precentral_R", "Precentral"),
        ("Insula (L)", "Insula (R)", "Insula"),
        ("L_V1_ROI", "R_V1_ROI", "V1_ROI"),
        ("AAL2-01", "AAL2-02", "AAL2-01+AAL2-02"),
        ("L", "R", "L+R"),
    ],
)
def test_common_names(left, right, name):
    assert common_name(left, right) == name


def test_a_common_name_that_is_taken_is_not_given_again():
    names = ["V1_L", "V1_R", "V1", "Left-V2", "Right-V2", "V2_L", "V2_R"]
    pairs = [("V1_L", "V1_R"), ("Left-V2", "Right-V2"), ("V2_L", "V2_R")]
    merged = merged_names(names, pairs)
    assert merged["V1_L"] == "V1_L+V1_R"
    assert merged["Left-V2"] == "V2"
    assert merged["V2_R"] == "V2_L+V2_R"


def test_pairs_that_no_recording_holds_are_found_where_others_are_stated():
    names = ["AVAL", "AVAR", "RIML", "RIMR", "DVA", "AWAL"]
    assert known_pairs(names, []) == []
    found = known_pairs(names, [("AVAL", "AVAR"), ("AVAL", "AVAR")])
    assert found == [("AVAL", "AVAR"), ("RIML", "RIMR")]


def test_a_sparse_trace_is_scaled_by_its_sd():
    x = np.zeros((2, 100))
    x[0, ::10] = 5.0
    x[1] = np.arange(100)
    merged, names = merge_rows(x, ["AL", "B"], {"AL": "A", "AR": "A"})
    assert names == ["A", "B"]
    assert merged[0].std() == pytest.approx(1)
    assert merged[1] == pytest.approx(x[1] / (1.4826 * 25))
