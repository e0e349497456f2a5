"""Readers: one module a format, each turning locked files into a Recording."""
