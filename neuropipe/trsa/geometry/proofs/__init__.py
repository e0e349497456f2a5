"""Checks of the geometry analyses on codes and networks whose geometry is known."""
