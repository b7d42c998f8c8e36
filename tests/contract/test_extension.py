"""The extension and the server agree on every name, type and default that both write down."""

import ast
import inspect
import json
import re
import types
import typing
from dataclasses import fields
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest

from lsp_server import __version__, protocol, switching, trainer_messages
from lsp_server.settings import SECTION, ServerSettings, wire_name

EXTENSION = Path(__file__).parents[2] / "extension"
PACKAGE = json.loads((EXTENSION / "package.json").read_text(encoding="utf-8"))
STRINGS = json.loads((EXTENSION / "package.nls.json").read_text(encoding="utf-8"))
CONTRIBUTES = PACKAGE["contributes"]
PROPERTIES = {
    name: schema
    for group in CONTRIBUTES["configuration"]
    for name, schema in group["properties"].items()
}
COMMANDS = {command["command"]: command for command in CONTRIBUTES["commands"]}
PROTOCOL = (EXTENSION / "src/protocol.ts").read_text(encoding="utf-8")
SOURCES = {path.name: path.read_text(encoding="utf-8") for path in (EXTENSION / "src").glob("*.ts")}
OWN_SETTINGS = {"tenon.server.path"}
JSON_TYPES = {bool: "boolean", int: "integer", float: "number", str: "string"}
STRUCTS = [
    entry
    for module in (protocol, trainer_messages)
    for entry in vars(module).values()
    if isinstance(entry, type)
    and issubclass(entry, msgspec.Struct)
    and entry.__struct_config__.tag is None  # what has a tag is between server and trainer
    and entry.__name__ not in {"Schedule", "Struct"}
]
HINTS = typing.get_type_hints(ServerSettings, include_extras=True)


def test_the_versions_are_one():
    assert PACKAGE["version"] == __version__


def test_the_settings_are_the_servers_and_the_extensions_own():
    server = {f"{SECTION}.{wire_name(entry.name)}" for entry in fields(ServerSettings)}
    assert set(PROPERTIES) == server | OWN_SETTINGS
    assert len(PROPERTIES) <= 25
    listed = re.search(r"SERVER_SETTINGS = \[(.*?)\]", SOURCES["settings.ts"], re.DOTALL)
    assert {f"tenon.{name}" for name in re.findall(r'"(\w+)"', listed[1])} == server


@pytest.mark.parametrize("name", [entry.name for entry in fields(ServerSettings)])
def test_a_setting_is_in_the_extension_what_it_is_in_the_server(name):
    schema = PROPERTIES[f"tenon.{wire_name(name)}"]
    assert schema["default"] == getattr(ServerSettings(), name)
    expected = json_schema(HINTS[name])
    described = {key: value for key, value in schema.items() if key in expected or key in LIMITS}
    assert described == expected


LIMITS = {"type", "enum", "minimum", "maximum", "pattern", "items"}


def json_schema(hint) -> dict:
    """What package.json has to say of a type of the settings."""
    if typing.get_origin(hint) is typing.Annotated:
        inner, meta = hint.__origin__, hint.__metadata__[0]
        limits = {"minimum": meta.ge, "maximum": meta.le, "pattern": meta.pattern}
        known = {key: value for key, value in limits.items() if value is not None}
        return json_schema(inner) | known
    if typing.get_origin(hint) is typing.Literal:
        return {"type": "string", "enum": list(typing.get_args(hint))}
    if typing.get_origin(hint) is list:
        return {"type": "array", "items": json_schema(typing.get_args(hint)[0])}
    return {"type": JSON_TYPES[hint]}


def test_what_runs_programs_or_learns_is_restricted_where_nothing_is_trusted():
    restricted = PACKAGE["capabilities"]["untrustedWorkspaces"]["restrictedConfigurations"]
    assert set(restricted) <= set(PROPERTIES)
    training = {name for name in PROPERTIES if name.startswith("tenon.training")}
    paths = {"tenon.server.path", "tenon.model", "tenon.engineUrl", "tenon.engineApiKeyFile"}
    # What is kept of the user, and what large files and idle engines may cost.
    kept = {"tenon.feedback", "tenon.baseShare", "tenon.logLevel", "tenon.maxFileBytes"}
    engine = {"tenon.gpuLayers", "tenon.threads", "tenon.contextTokens", "tenon.idleExitSeconds"}
    assert training | paths | kept | engine <= set(restricted)


def test_methods_and_commands_have_the_servers_names():
    declared = dict(re.findall(r'^export const ([A-Z_]+) = "([^"]+)";$', PROTOCOL, re.MULTILINE))
    served = {
        name: value
        for name, value in vars(protocol).items()
        if name.isupper() and isinstance(value, str)
    }
    assert declared == served


def test_the_gates_choice_is_asked_for_by_the_servers_word():
    assert f'AUTOMATIC = "{switching.AUTOMATIC}";' in SOURCES["adapterItems.ts"]


@pytest.mark.parametrize("struct", STRUCTS, ids=lambda struct: struct.__name__)
def test_a_message_has_the_fields_of_its_struct(struct):
    found = re.search(
        rf"^export interface {struct.__name__} {{\n(.*?)^}}", PROTOCOL, re.MULTILINE | re.DOTALL
    )
    assert found, f"protocol.ts has no interface {struct.__name__}"
    declared = dict(re.findall(r"^  readonly (\w+): (.+);$", found[1], re.MULTILINE))
    assert declared == {
        field.encode_name: typescript(field.type) for field in msgspec.structs.fields(struct)
    }


ALIASES = {
    protocol.State: "State",
    trainer_messages.TrainerState: "TrainerState",
    trainer_messages.PausedBy: "PausedBy",
}
PLAIN = {str: "string", int: "number", float: "number", bool: "boolean", types.NoneType: "null"}


def typescript(hint) -> str:
    """A Python type as protocol.ts writes it."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hint in ALIASES:
        return ALIASES[hint]
    if origin is typing.Literal:
        return " | ".join(json.dumps(value) for value in arguments)
    if origin is tuple:
        return f"readonly {typescript(arguments[0])}[]"
    if origin is dict:
        return f"Readonly<Record<{typescript(arguments[0])}, {typescript(arguments[1])}>>"
    if origin in {typing.Union, types.UnionType}:
        return " | ".join(typescript(argument) for argument in arguments)
    return PLAIN.get(hint) or hint.__name__


@pytest.mark.parametrize("alias", ALIASES, ids=ALIASES.get)
def test_a_union_of_words_has_the_same_words(alias):
    found = re.search(rf"^export type {ALIASES[alias]} =(.*?);", PROTOCOL, re.MULTILINE | re.DOTALL)
    assert re.findall(r'"([^"]*)"', found[1]) == list(typing.get_args(alias))


def test_every_command_is_registered_and_no_other():
    registered = re.findall(r'^    "(tenon\.\w+)":', SOURCES["commands.ts"], re.MULTILINE)
    assert sorted(registered) == sorted(COMMANDS)


def test_no_command_has_the_name_of_one_of_the_servers():
    served = {value for name, value in vars(protocol).items() if isinstance(value, str)}
    assert not served & set(COMMANDS)


def test_every_command_that_is_mentioned_exists():
    own = set(COMMANDS) | {value for value in vars(protocol).values() if isinstance(value, str)}
    texts = [*STRINGS.values(), json.dumps(CONTRIBUTES["walkthroughs"])]
    mentioned = {
        name for text in texts for name in re.findall(r"(?:command:|onCommand:)(tenon\.\w+)", text)
    }
    assert mentioned <= own


def test_every_string_is_there_and_used():
    used = set(re.findall(r"%([\w.]+)%", json.dumps(PACKAGE)))
    assert used == set(STRINGS)
    assert all(STRINGS[key].strip() for key in used)


def sentences() -> dict[str, str]:
    """What stands below each field of the settings."""
    tree = ast.parse(inspect.getsource(ServerSettings)).body[0]
    assert isinstance(tree, ast.ClassDef)
    return {
        field.target.id: inspect.cleandoc(text.value.value).replace("\n", " ")
        for field, text in pairwise(tree.body)
        if isinstance(field, ast.AnnAssign) and isinstance(text, ast.Expr)
    }


@pytest.mark.parametrize(("name", "sentence"), sentences().items())
def test_a_setting_is_explained_in_the_servers_words(name, sentence):
    key = f"setting.{wire_name(name)}"
    assert PROPERTIES[f"tenon.{wire_name(name)}"]["markdownDescription"] == f"%{key}%"
    # Between backticks a name may differ: a command here is another one than in a shell.
    assert re.sub("`[^`]*`", "``", STRINGS[key]) == re.sub("`[^`]*`", "``", sentence)


def test_walkthroughs_show_files_that_are_there():
    for walkthrough in CONTRIBUTES["walkthroughs"]:
        for step in walkthrough["steps"]:
            assert (EXTENSION / step["media"]["markdown"]).is_file()
    assert (EXTENSION / PACKAGE["icon"]).is_file()
