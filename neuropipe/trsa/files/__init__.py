"""RDMs and patterns of other programs."""
