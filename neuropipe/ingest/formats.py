"""The one table of formats: which module reads which modality in which format."""

#: Reader module by (modality, format). Each has `matches`, `discover` and `read`.
READERS = {
    ("fmri", "nifti"): "neuropipe.ingest.bids",
    ("fmri", "timeseries"): "neuropipe.ingest.timeseries",
    ("calcium", "nwb"): "neuropipe.ingest.nwb_ophys",
    ("calcium", "suite2p"): "neuropipe.ingest.suite2p",
    ("spikes", "nwb"): "neuropipe.ingest.nwb_spikes",
    ("images", "arrays"): "neuropipe.ingest.images",
    ("images", "algonauts"): "neuropipe.ingest.algonauts",
}
