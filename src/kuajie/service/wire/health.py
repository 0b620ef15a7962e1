"""Whether a process answers."""

from typing import Literal

from kuajie.service.wire.base import Wire


class Alive(Wire, frozen=True):
    """The process answers."""

    status: str


class Ready(Wire, frozen=True):
    """What the process answers with.

    Operators alone are told the rest: `refused` names a model version that must not serve, and why; `loop` what became
    of the last round of the loop.
    """

    ready: bool
    model_version: str
    store: Literal["good", "down"]
    snapshot_id: str = ""
    refused: str = ""
    loop: str = ""
