"""Masked autoencoding of fMRI: a network of ROI time series and what stands beside it."""
