"""Where a server is missing, the reason to skip says which package brings it."""

from collections.abc import Callable

import pytest

from kuajie.testing import servers
from kuajie.testing.servers import MissingProgram


@pytest.mark.parametrize(
    ("start", "package"),
    [(servers.mariadb, "mariadb-server"), (servers.redis, "redis-server")],
)
def test_a_missing_server_names_its_package(start: Callable, package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(servers.shutil, "which", lambda *_, **__: None)
    with pytest.raises(MissingProgram, match=f"NOT TESTED on .*apt-get install {package}"), start():
        pass
