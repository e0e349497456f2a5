"""From response patterns to RDMs."""
