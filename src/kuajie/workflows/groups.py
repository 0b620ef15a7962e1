"""What is popular where a person is: shown to who has a place and no history, before what everybody likes."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kuajie.core.side import Labels
from kuajie.core.texts import Translate
from kuajie.data.dataset import JointDataset
from kuajie.models.groups import GroupPopularity
from kuajie.workflows.recommend import Liked

PLACE = "place"


@dataclass(frozen=True, eq=False)
class GroupLists:
    """Popularity by place, and who is where.

    Attributes:
        popularity: fitted on everybody.
        places: of each person of the snapshot.
    """

    popularity: GroupPopularity
    places: Labels

    def liked(self, people: Sequence[int], target: str, translate: Translate) -> Liked | None:
        """What people of the same places like; None where none of these people has a place.

        Args:
            people: rows of the snapshot that are one person.
            target: the domain.
            translate: into the language of the list.
        """
        if not len(people):
            return None
        mine = np.unique(self.places.matrix[np.asarray(people, np.int64)].indices).tolist()
        if not mine:
            return None
        labels = Labels.of([[self.places.names[number] for number in mine]])
        return Liked(self.popularity.score({PLACE: labels}, target)[0], translate("Popular where you are"))


def group_lists(dataset: JointDataset) -> GroupLists | None:
    """Popularity by place of a snapshot; None where nobody has a place."""
    if dataset.places is None:
        return None
    data = dataset.interactions()
    return GroupLists(GroupPopularity.fit(data, {PLACE: dataset.places}), dataset.places)
