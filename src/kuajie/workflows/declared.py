"""Declared: what the accounts of one person have said of themselves, of the snapshot and since."""

import math
from collections.abc import Mapping, Sequence

from kuajie.core.records import Account
from kuajie.data.dataset import JointDataset

AGE, REGION = "age", "region"
"""What people have declared that business rules read."""
Declared = Mapping[Account, Mapping[str, str]]


def declared_by(accounts: Sequence[Account], dataset: JointDataset, newer: Declared) -> dict[Account, dict[str, str]]:
    """What some accounts declared, those that have declared something.

    Args:
        accounts: of one person.
        dataset: knows what was declared before the snapshot.
        newer: what was declared since, which goes first.
    """
    frozen = dataset.declared(accounts)
    merged = {each: {**frozen.get(each, {}), **newer.get(each, {})} for each in accounts}
    return {account: attributes for account, attributes in merged.items() if attributes}


def for_rules(declared: Declared, domain: str) -> dict[str, str]:
    """The age and the region that business rules go by where one domain asks.

    Of several ages the smallest counts: who is a child anywhere is shown nothing for adults. The region is what the
    asking domain's own account says, for another company may deliver elsewhere.
    """
    found = {}
    told = [(number(attributes.get(AGE, "")), attributes.get(AGE, "")) for attributes in declared.values()]
    ages = [(value, text) for value, text in told if value is not None]
    if ages:
        found[AGE] = min(ages)[1]
    for account, attributes in declared.items():
        if account.domain == domain and attributes.get(REGION):
            found[REGION] = attributes[REGION]
    return found


def number(text: str) -> float | None:
    """A finite number that a text says; None: it says none."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
