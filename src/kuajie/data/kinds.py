"""How a snapshot stores things: kinds of events by number, how large a value may be, the columns of triples."""

from typing import get_args

import polars as pl

from kuajie.core import columns as c
from kuajie.core.records import Kind

KINDS: tuple[Kind, ...] = get_args(Kind)
"""In the order of their numbers."""
LARGEST_VALUE = 1e12
DECLARED = {c.DOMAIN: pl.String(), c.USER: pl.String(), c.ATTRIBUTES: pl.String()}
TRIPLES = {c.DOMAIN: pl.String(), c.HEAD: pl.String(), c.RELATION: pl.String(), c.TAIL: pl.String()}
