"""Settings from environment variables: in their places, checked as in the file, and named in errors."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from kuajie.core.errors import ConfigError
from kuajie.core.language import translator
from kuajie.workflows.workspace import ServiceConfig, StoreConfig, WorkspaceConfig

DOMAIN = """
[[domains.courses.events]]
path = "courses.csv"
columns = { user = "u", item = "i" }
"""
TOML = """
[store]
database_env = "THEIRS"
connections = 3

[service]
port = 81
"""


def read(folder: Path, environment: Mapping[str, str], text: str = TOML) -> WorkspaceConfig:
    (folder / "kuajie.toml").write_text(text + DOMAIN, encoding="utf-8")
    return WorkspaceConfig.read(folder / "kuajie.toml", environment)


def test_variables_go_before_the_file(tmp_path: Path) -> None:
    config = read(
        tmp_path,
        {
            "KUAJIE_SERVICE__PORT": "82",
            "KUAJIE_SERVICE__POLL_SECONDS": "0.5",
            "KUAJIE_SERVICE__TELEMETRY": "true",
            "KUAJIE_SERVICE__LOG": "all",
            "KUAJIE_SERVICE__HOST": "  ",
            "KUAJIE_STORE__REDIS_ENV": "MY_REDIS",
            "KUAJIE_DATABASE": "not ours",
            "PATH": "/bin",
        },
    )
    assert (config.service.port, config.service.poll_seconds, config.service.log) == (82, 0.5, "all")
    assert config.service.telemetry is True
    assert config.service.host == "127.0.0.1", "an empty variable is as good as none"
    assert (config.store.connections, config.store.database_env, config.store.redis_env) == (3, "THEIRS", "MY_REDIS")
    assert read(tmp_path, {}).service.port == 81


@pytest.mark.parametrize("section", ["service", "store"])
def test_every_key_can_be_set(tmp_path: Path, section: str) -> None:
    config: type[ServiceConfig | StoreConfig] = {"service": ServiceConfig, "store": StoreConfig}[section]
    for key, field in config.model_fields.items():
        value = {"str": "x", "str | None": "x"}.get(str(field.annotation).removeprefix("<class '").removesuffix("'>"))
        value = value or str(field.get_default())
        read(tmp_path, {f"KUAJIE_{section}__{key}".upper(): value})


def test_a_place_from_the_environment_replaces_both_ways_to_name_it(tmp_path: Path) -> None:
    assert read(tmp_path, {"KUAJIE_STORE__DATABASE": "other.db"}).store.database_env is None
    both = read(tmp_path, {"KUAJIE_STORE__DATABASE": "other.db", "KUAJIE_STORE__DATABASE_ENV": "MINE"}).store
    assert (both.database, both.database_env) == ("other.db", "MINE")
    file = '[store]\ndatabase = "mine.db"\n'
    assert read(tmp_path, {"KUAJIE_STORE__DATABASE_ENV": "MINE"}, file).store.database == "kuajie.db"


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("KUAJIE_SERVICE__PORT", "eighty", "KUAJIE_SERVICE__PORT: 'port': input should be a valid integer"),
        ("KUAJIE_SERVICE__PORT", "70000", "KUAJIE_SERVICE__PORT: 'port': "),
        ("KUAJIE_SERVICE__PROT", "80", "KUAJIE_SERVICE__PROT: 'prot' is not a known key"),
        ("KUAJIE_SERVICE__LOG", "some", "KUAJIE_SERVICE__LOG: 'log': "),
        ("KUAJIE_SERVICE__POLL_SECONDS", "nan", "KUAJIE_SERVICE__POLL_SECONDS: "),
        ("KUAJIE_SERVIC__PORT", "80", "sets a section 'servic' that variables cannot set; did you mean 'service'?"),
        ("KUAJIE_WORKSPACE__SEED", "1", "sets a section 'workspace'"),
    ],
)
def test_errors_name_the_variable(tmp_path: Path, variable: str, value: str, said: str) -> None:
    with pytest.raises(ConfigError) as error:
        read(tmp_path, {variable: value})
    assert said in str(error.value)
    assert variable in error.value.say(translator("zh"))


def test_a_section_that_is_wrong_in_the_file_is_told_as_such(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"kuajie\.toml: 'service'"):
        read(tmp_path, {"KUAJIE_SERVICE__PORT": "80"}, "service = 3\n")
