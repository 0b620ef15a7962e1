"""Every message in the code exists in every language, with the same placeholders, and nothing else does."""

import ast
import string
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer.main

import kuajie
from kuajie.cli.help import paragraphs
from kuajie.cli.main import app
from kuajie.core.errors import ConfigError, KuajieError, UsageError
from kuajie.core.language import LANGUAGES, catalogue, language_of, read_po, translator

SOURCE = Path(kuajie.__file__).parent
SAYING = {"t", "translate", "message", "progress", "Text"}
"""Functions whose first argument is a message."""
SCREEN = {"say", "head", "table"}
"""Methods of `cli.screen.Screen` whose first argument is a message, or a list of them."""

SAME = {"NDCG@10", "HR@10", "MRR", "Recall@20", "#", ""}
"""Words that are the same everywhere."""

LATER = {"models/als.py", "models/blend.py", "workflows/search.py"}
"""Files whose errors are not messages with values yet."""


def error_names(base: type[KuajieError] = KuajieError) -> set[str]:
    return {base.__name__}.union(*(error_names(kind) for kind in base.__subclasses__()))


ERRORS = error_names() | {"__init__"}  # of an error with a message of its own


def texts(node: ast.expr) -> list[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return [node.value]
    if isinstance(node, (ast.List, ast.Tuple)):
        return [text for element in node.elts for text in texts(element)]
    if isinstance(node, ast.IfExp):
        return texts(node.body) + texts(node.orelse)
    return []


def calls_in(path: Path) -> Iterator[tuple[str, ast.expr]]:
    """Name and first argument of each call that takes a message."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not (isinstance(node, ast.Call) and node.args):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if name == "Text" and len(node.args) > 1:  # `worlds.vocabulary.Text`, which has both languages itself
            continue
        if name == "__init__" and path.name != "errors.py":
            continue
        if name in SAYING | ERRORS or (name in SCREEN and "cli" in path.parts):
            yield name, node.args[0]


def messages_in(path: Path) -> set[str]:
    return {text for _, argument in calls_in(path) for text in texts(argument)} - SAME


def messages_in_template(path: Path) -> set[str]:
    from jinja2 import Environment, nodes

    tree = Environment(autoescape=True).parse(path.read_text(encoding="utf-8"))
    calls = [call for call in tree.find_all(nodes.Call) if isinstance(call.node, nodes.Name) and call.node.name == "t"]
    return {call.args[0].value for call in calls if isinstance(call.args[0], nodes.Const)}


def messages_in_help() -> set[str]:
    program = typer.main.get_command(app)
    found = set()
    for command in (program, *program.commands.values()):
        found.update(part for part in paragraphs(command.help) if not part.startswith("\b"))
        for option in command.params:
            found.update(text for text in (option.help, option.show_default) if isinstance(text, str))
    return found


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


@pytest.fixture(scope="module")
def used() -> set[str]:
    in_code = (messages_in(path) for path in SOURCE.rglob("*.py") if "testing" not in path.parts)
    in_templates = (messages_in_template(path) for path in SOURCE.rglob("*.jinja"))
    return set().union(*in_code, *in_templates, messages_in_help())


@pytest.mark.parametrize("language", [language for language in LANGUAGES if language != "en"])
def test_every_message_is_translated(language: str, used: set[str]) -> None:
    translated = catalogue(language)
    assert used - translated.keys() == set(), "missing in the catalogue"
    assert translated.keys() - used == set(), "no longer used"
    for message, translation in translated.items():
        assert placeholders(message) == placeholders(translation), message


@pytest.mark.parametrize("path", sorted(SOURCE.rglob("*.py")), ids=lambda path: str(path.relative_to(SOURCE)))
def test_no_message_is_made_before_it_can_be_translated(path: Path) -> None:
    made = [name for name, argument in calls_in(path) if isinstance(argument, (ast.JoinedStr, ast.BinOp))]
    later = str(path.relative_to(SOURCE)) in LATER
    assert not made or later, "write a message with {places} and give their values by name"
    assert made or not later, "this file is done: take it out of LATER"


def test_messages_are_found(used: set[str]) -> None:
    assert "Popular with everybody" in used
    assert len(used) > 10


def test_a_message_without_translation_stays_english() -> None:
    assert translator("zh")("something else") == "something else"
    assert translator("en")("Popular with everybody") == "Popular with everybody"
    assert translator("zh")("Popular with everybody") == "大家都喜欢"


def test_an_unknown_language_names_the_known() -> None:
    with pytest.raises(UsageError, match="no language 'fr'; the languages are en, zh"):
        translator("fr")


@pytest.mark.parametrize(
    ("asked", "environment", "language"),
    [
        (["zh", "en"], {}, "zh"),
        ([None, "zh"], {"LANG": "en_US.UTF-8"}, "zh"),
        ([None], {"LANG": "zh_CN.UTF-8"}, "zh"),
        ([None], {"LANG": "zh_CN.UTF-8", "LC_ALL": "C"}, "en"),
        ([], {}, "en"),
    ],
)
def test_the_language_is_the_first_asked_for(asked: list[str], environment: dict[str, str], language: str) -> None:
    assert language_of(*asked, environment=environment) == language


def test_po_files_are_read_as_gettext_writes_them() -> None:
    text = r"""
msgid ""
msgstr "Language: zh\n"

# note
#: file.py:1
msgid "a\"b"
msgstr ""
"甲"
"乙\n"

msgid "c"
msgstr ""
"""
    assert read_po(text) == {'a"b': "甲乙\n"}


@pytest.mark.parametrize("line", ["msgctxt", '"text first"', "msgid without quotes", "rubbish"])
def test_a_line_that_is_no_po_is_named(line: str) -> None:
    with pytest.raises(ConfigError, match="line 1"):
        read_po(line)
