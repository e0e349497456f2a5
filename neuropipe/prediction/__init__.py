"""Prediction of participants' labels from features of recordings: what all analyses share."""
