"""Checks and figures of one recording, each number with a verdict."""
