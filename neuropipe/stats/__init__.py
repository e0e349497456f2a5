"""Splits, resampling, permutation tests, classifiers and noise ceilings."""
