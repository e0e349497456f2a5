"""neuropipe: from raw recordings to five published analyses and a report for every subject."""

__version__ = "0.1.0"
