"""Communities of weighted graphs: block models, modularity, consensus."""
