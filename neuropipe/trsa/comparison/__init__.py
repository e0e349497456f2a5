"""How RDMs are compared with each other."""
