import dataclasses
import typing

import pytest

from lsp_server.settings import ServerSettings, parse, wire_name


def test_no_settings_are_the_defaults():
    for raw in (None, {}, {"model": None}):
        parsed = parse(raw)
        assert parsed.settings == ServerSettings()
        assert parsed.message == ""


def test_names_are_camel_case_on_the_wire():
    raw = {"latencyTargetMs": 900, "disabledLanguages": ["markdown"], "multiline": "never"}
    settings = parse(raw).settings
    assert settings.latency_target_ms == 900
    assert settings.disabled_languages == ["markdown"]
    assert settings.multiline == "never"


def test_bad_values_cost_themselves_alone_and_one_message_names_them_all():
    parsed = parse({"maxLines": "many", "gpuLayers": -2, "debounceMs": 5, "multiline": "maybe"})
    assert parsed.settings == dataclasses.replace(ServerSettings(), debounce_ms=5)
    assert len(parsed.problems) == 3
    for key in ("maxLines", "gpuLayers", "multiline"):
        assert f"`tenon.{key}`" in parsed.message


def test_a_bool_is_no_number():
    assert parse({"maxLines": True}).problems


@pytest.mark.parametrize("raw", ["text", 3, ["list"]])
def test_a_section_that_is_no_object(raw):
    parsed = parse(raw)
    assert parsed.settings == ServerSettings()
    assert "must be an object" in parsed.message


def test_unknown_keys_are_for_the_log():
    parsed = parse({"modle": "x"})
    assert parsed.unknown == ["modle"]
    assert parsed.message == ""


def test_every_default_passes_its_own_check():
    raw = {wire_name(key): value for key, value in dataclasses.asdict(ServerSettings()).items()}
    parsed = parse(raw)
    assert parsed.settings == ServerSettings()
    assert parsed.problems == parsed.unknown == []
    assert set(typing.get_type_hints(ServerSettings)) == set(dataclasses.asdict(ServerSettings()))
