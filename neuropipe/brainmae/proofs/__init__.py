"""BrainMAE proved on simulated cohorts: `neuropipe validate brainmae`."""
