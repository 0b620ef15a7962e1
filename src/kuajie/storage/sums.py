"""The sums of a model version beside its arrays: `sums.safetensors`, and `sums.json` with its SHA-256.

They only make the next step quicker: what is missing, damaged or of another format is as if it had never been.
"""

from pathlib import Path

import msgspec
import numpy as np
from scipy import sparse

from kuajie.core.errors import ArtifactError, KuajieError, ResourceError
from kuajie.core.files import refusals_named, write_file
from kuajie.core.recommender import Arrays
from kuajie.core.records import Record
from kuajie.core.space import ItemSpace
from kuajie.core.statistics import Statistics
from kuajie.storage.tensors import first_not_finite, map_tensors, sha256_of, write_tensors

FORMAT = 1
ARRAYS, INDEX = "sums.safetensors", "sums.json"


class Entry(Record, frozen=True):
    """One model's sums."""

    name: str
    domains: tuple[str, ...]
    sizes: tuple[int, ...]
    pairs: tuple[str, ...]
    items: tuple[str, ...]
    totals: dict[str, float]


class Index(Record, frozen=True):
    """What `sums.safetensors` holds."""

    format: int
    sha256: str
    entries: tuple[Entry, ...]


def save_sums(folder: Path, sums: dict[str, Statistics]) -> None:
    """Keep sums beside a version; nothing is left behind where the disk refuses.

    Raises:
        ResourceError: it does.
    """
    arrays: Arrays = {}
    entries = []
    for number, (name, each) in enumerate(sums.items()):
        for key, pairs in each.pairs.items():
            arrays[f"{number}.pairs.{key}.data"] = pairs.data
            arrays[f"{number}.pairs.{key}.indices"] = pairs.indices.astype(np.int32)
            arrays[f"{number}.pairs.{key}.indptr"] = pairs.indptr.astype(np.int64)
        arrays |= {f"{number}.items.{key}": values for key, values in each.items.items()}
        space = each.space
        entries.append(
            Entry(
                name=name,
                domains=space.domains,
                sizes=space.sizes,
                pairs=tuple(each.pairs),
                items=tuple(each.items),
                totals=dict(each.totals),
            )
        )
    place = folder / ARRAYS
    try:
        with refusals_named(place):
            digest = write_tensors(place, arrays)
        write_file(folder / INDEX, msgspec.json.encode(Index(format=FORMAT, sha256=digest, entries=tuple(entries))))
    except ResourceError:
        place.unlink(missing_ok=True)
        raise


def load_sums(folder: Path) -> dict[str, Statistics]:
    """The sums that were kept; none where anything about them is wrong."""
    try:
        index = msgspec.json.decode((folder / INDEX).read_bytes(), type=Index)
        if index.format != FORMAT or sha256_of(folder / ARRAYS) != index.sha256:
            return {}
        arrays = map_tensors(folder / ARRAYS)
        if first_not_finite(arrays) is not None:
            return {}
        return {entry.name: _read(str(number), entry, arrays) for number, entry in enumerate(index.entries)}
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError, KeyError, ValueError, ArtifactError, KuajieError):
        return {}


def _read(prefix: str, entry: Entry, arrays: Arrays) -> Statistics:
    space = ItemSpace(entry.domains, entry.sizes)
    pairs = {}
    for key in entry.pairs:
        parts = tuple(arrays[f"{prefix}.pairs.{key}.{name}"] for name in ("data", "indices", "indptr"))
        pairs[key] = sparse.csr_array(parts, shape=(space.n_items, space.n_items))
        pairs[key].check_format(full_check=True)  # an index outside would read foreign memory
    items = {key: np.asarray(arrays[f"{prefix}.items.{key}"], np.float64) for key in entry.items}
    if any(len(values) != space.n_items for values in items.values()):
        raise ArtifactError("the sums do not fit their items")
    return Statistics(space, pairs, items, entry.totals)
