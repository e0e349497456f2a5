"""Dynamic connectome: affinities between units, their factorization, and communities."""
