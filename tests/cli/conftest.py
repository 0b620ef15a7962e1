import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from kuajie.cli.main import run


@dataclass(frozen=True)
class Outcome:
    """What a person saw."""

    code: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        return json.loads(self.out)


@pytest.fixture
def kuajie(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Outcome]:
    """Runs a command in this process and returns its exit code and output."""
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)

    def call(*arguments: object) -> Outcome:
        capfd.readouterr()
        code = 0
        try:
            run([str(argument) for argument in arguments])
        except SystemExit as end:
            code = int(end.code or 0)
        out, err = capfd.readouterr()
        assert "Traceback" not in err
        return Outcome(code, out, err)

    return call
