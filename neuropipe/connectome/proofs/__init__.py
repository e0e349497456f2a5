"""Checks of the connectome on data whose truth is known."""
