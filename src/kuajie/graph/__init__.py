"""The knowledge graph beside the models: linking, drawing from texts, quality, paths, export, pictures."""
