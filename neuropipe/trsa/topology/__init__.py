"""Geo-topological and geodesic transforms, selection of thresholds, persistent homology."""
