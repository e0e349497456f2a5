"""Checks of topological RSA on data whose truth is known."""
