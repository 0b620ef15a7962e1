"""Amazon Reviews 2023: JSON lines of reviews and of item metadata, gzipped or not.

Reference: Hou et al., "Bridging Language and Items for Retrieval and Recommendation", 2024;
https://amazon-reviews-2023.github.io (fields of reviews and metadata; times are milliseconds).
"""

from kuajie.core import columns as c
from kuajie.data.sources.base import FormatSpec
from kuajie.data.sources.jsonl import read_jsonl

AMAZON = FormatSpec(
    read_jsonl,
    {
        "events": {c.USER: "user_id", c.ITEM: "parent_asin", c.VALUE: "rating", c.OCCURRED_AT: "timestamp"},
        "items": {c.ITEM: "parent_asin", c.CATEGORY: "main_category", c.BRAND: "store", c.ATTRIBUTES: "details"},
    },
    kind="rate",
)
