"""From recordings to single trials and conditions."""
