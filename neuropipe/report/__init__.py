"""Results to pages: one a subject, one index a dataset."""
