"""Topological RSA: geometry and topology of representations, with honest inference."""
