"""Representational geometry: alignment, dimension, abstraction, laziness, bias between features."""
