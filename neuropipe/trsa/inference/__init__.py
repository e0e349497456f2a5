"""Models, ceilings, bootstrap and permutation tests."""
