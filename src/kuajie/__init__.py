"""kuajie: recommendation across the catalogues of two companies."""

__version__ = "0.1.0"
