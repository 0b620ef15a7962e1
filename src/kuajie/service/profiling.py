"""The fields of a profile for a caller: from what belongs to the caller alone."""

from collections.abc import Mapping
from datetime import datetime

import msgspec
import numpy as np

from kuajie.core.language import translator
from kuajie.core.texts import worded
from kuajie.profiles.fields import Field
from kuajie.service.calls import Call
from kuajie.service.wire import ProfileField
from kuajie.workflows.deploy import Deployed
from kuajie.workflows.live import Person


def fields_of(
    call: Call, deployed: Deployed, person: Person, attributes: Mapping[str, str], now: datetime
) -> list[ProfileField]:
    """What is known of a person now, by their events in the caller's domains and what they declared there."""
    if deployed.profiler is None:
        return []
    events = deployed.live.events(person)
    space = deployed.dataset.space
    owned = [place for place, name in enumerate(space.domains) if name in call.caller.domains]
    mine = events.where(np.isin(space.domain_of(events.item), owned))
    declared = [(attributes, float("nan"))] if attributes else []
    found = deployed.profiler.profile(mine, now.timestamp(), declared, call.language)
    return [_told(each, call.language) for each in found]


def _told(field: Field, language: str) -> ProfileField:
    translate = translator(language)
    told = msgspec.structs.asdict(field)
    if field.note:
        told["note"] = worded(field.note, translate)
    if field.name == "segment" and isinstance(field.value, str):
        told["value"] = worded(field.value, translate)
    elif isinstance(field.value, str):
        told["value"] = str(field.value)
    return ProfileField(**told)
