"""What is popular where a person is: shown to who has a place and no history, before what everybody likes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from kuajie.core.side import Labels
from kuajie.core.texts import Translate
from kuajie.data.dataset import JointDataset
from kuajie.models.groups import GroupPopularity
from kuajie.workflows.recommend import Liked

LEAST_LIFT = 0.01
"""Scores that differ from everybody's by no more than this share are everybody's."""


@dataclass(frozen=True, eq=False)
class GroupLists:
    """Popularity by place, and who is where.

    Attributes:
        popularity: fitted on everybody; its fields are the domains that were told of places.
        places: domain that was told -> of each person of the snapshot.
    """

    popularity: GroupPopularity
    places: Mapping[str, Labels]

    def liked(self, people: Sequence[int], domain: str, target: str, translate: Translate) -> Liked | None:
        """What people of the same places like; None where nothing sets these places apart, or none is known.

        Args:
            people: rows of the snapshot that are one person.
            domain: of the account that asks; places that another domain alone was told are not used.
            target: the domain of the items.
            translate: into the language of the list.
        """
        known = self.places.get(domain)
        if known is None or not len(people):
            return None
        mine = np.unique(known.matrix[np.asarray(people, np.int64)].indices).tolist()
        labels = Labels.of([[known.names[number] for number in mine]])
        scores, everybody = (self.popularity.score(each, target)[0] for each in ({domain: labels}, {}))
        if np.allclose(scores, everybody, rtol=LEAST_LIFT, atol=0, equal_nan=True):
            return None
        return Liked(scores, translate("Popular where you are"))


def group_lists(dataset: JointDataset) -> GroupLists | None:
    """Popularity by place of a snapshot; None where nobody has a place."""
    if not dataset.places:
        return None
    data = dataset.interactions(described=False)
    return GroupLists(GroupPopularity.fit(data, dataset.places), dataset.places)
