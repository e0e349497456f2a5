"""Networks that stand beside BrainMAE: on connectomes, and on tokens of one ROI and segment."""
