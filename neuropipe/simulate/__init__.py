"""Generators whose truth is known; each writes files in the formats that laboratories use."""
