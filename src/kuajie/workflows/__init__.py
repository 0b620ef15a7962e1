"""The verbs of the product, one short file each."""
