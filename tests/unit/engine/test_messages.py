"""Requests: what is refused by name, what is ignored."""

import msgspec
import pytest

from lsp_server.engine.encode import prompts_of
from lsp_server.engine.messages import CompletionBody, parse
from lsp_server.errors import EngineRequestError


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("max_tokens", "many"),
        ("max_tokens", -1),
        ("temperature", 3),
        ("logprobs", 50),
        ("stop", 7),
        ("prompt", {"text": "x"}),
        ("stream", "yes"),
        ("logit_bias", {"1": 900}),
    ],
)
def test_a_bad_field_is_refused_by_name(field: str, value: object) -> None:
    body = {"prompt": "x", field: value}
    with pytest.raises(EngineRequestError) as refusal:
        parse(msgspec.json.encode(body), CompletionBody)
    assert refusal.value.param == field
    assert refusal.value.status == 400


def test_a_missing_prompt_is_refused_by_name() -> None:
    with pytest.raises(EngineRequestError) as refusal:
        parse(b"{}", CompletionBody)
    assert refusal.value.param == "prompt"


@pytest.mark.parametrize("raw", [b"[]", b"nonsense", b"\xff", b"1"])
def test_what_is_no_object_is_refused(raw: bytes) -> None:
    with pytest.raises(EngineRequestError):
        parse(raw, CompletionBody)


def test_unknown_fields_are_ignored_and_null_means_not_given() -> None:
    body = parse(b'{"prompt":"x","future":1,"max_tokens":null,"stop":null}', CompletionBody)
    assert body.max_tokens == 16
    assert body.stop == ""


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("x", [["x"]]),
        (["x", "y"], [["x"], ["y"]]),
        ([1, 2], [[1, 2]]),
        ([[1], [2, 3]], [[1], [2, 3]]),
        ([1, "x", 2], [[1, "x", 2]]),
    ],
)
def test_every_form_of_prompt(prompt: object, expected: object) -> None:
    assert prompts_of(parse(msgspec.json.encode({"prompt": prompt}), CompletionBody)) == expected


@pytest.mark.parametrize("prompt", [[], [[1], 2], [[1], "x"]])
def test_a_prompt_of_no_form_is_refused(prompt: object) -> None:
    body = parse(msgspec.json.encode({"prompt": prompt}), CompletionBody)
    with pytest.raises(EngineRequestError) as refusal:
        prompts_of(body)
    assert refusal.value.param == "prompt"
