"""Locks: which files every recording of a dataset is, resolved once, with checksums."""

from neuropipe.lock.add import add_dataset
from neuropipe.lock.check import check_dataset
from neuropipe.lock.commands import add_command, check_command, lock_command
from neuropipe.lock.resolve import dataset_root, lock_dataset

__all__ = [
    "add_command",
    "add_dataset",
    "check_command",
    "check_dataset",
    "dataset_root",
    "lock_command",
    "lock_dataset",
]
