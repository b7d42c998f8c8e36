"""What travels between the engine and its clients, in OpenAI's, vLLM's and llama.cpp's words.

Unknown fields are ignored; a field of the wrong type or range is refused by name.
"""

import re
from typing import Annotated, Any, TypeVar

import msgspec

from ..errors import EngineRequestError

Prompt = str | list[str | int | list[int]]
"""Text; token ids; several of either; or one mixed list of ids and texts (llama.cpp's extension:
texts inside it are tokenised with control tokens off)."""

_Count = Annotated[int, msgspec.Meta(ge=0)]
_Unit = Annotated[float, msgspec.Meta(ge=0.0, le=1.0)]
_Penalty = Annotated[float, msgspec.Meta(ge=-2.0, le=2.0)]
_Temperature = Annotated[float, msgspec.Meta(ge=0.0, le=2.0)]


class StreamOptions(msgspec.Struct, frozen=True):
    """OpenAI's ``stream_options``."""

    include_usage: bool = False


class CompletionBody(msgspec.Struct, frozen=True, kw_only=True):
    """``POST /v1/completions``; beyond OpenAI: vLLM's ``priority``, ``stop_token_ids``,
    ``ignore_eos``, ``top_k``, ``min_p``; llama.cpp's ``timings_per_token``; ``token_healing``;
    ``hold_ms``, for how long a stream may hold back text inside a line; and ``one_line``, which
    ends the answer with the token that brings the newline behind its first text.

    So is ``answer``: a text that is scored in place of one that is generated, token by token as
    the model would have written it behind this prompt, which may come from the KV cache.
    ``answer_end`` is the token by which the model would have ended it, and is scored behind it;
    as of a generated answer, it is no part of the text, and the finish reason is ``stop``.
    """

    prompt: Prompt
    model: str = ""
    suffix: str | None = None
    max_tokens: _Count = 16
    temperature: _Temperature = 1.0
    top_p: _Unit = 1.0
    top_k: Annotated[int, msgspec.Meta(ge=-1)] = 0
    min_p: _Unit = 0.0
    n: Annotated[int, msgspec.Meta(ge=1, le=16)] = 1
    best_of: int | None = None
    stream: bool = False
    stream_options: StreamOptions = StreamOptions()
    logprobs: Annotated[int, msgspec.Meta(ge=0, le=20)] | None = None
    echo: bool = False
    answer: str | None = None
    answer_end: _Count | None = None
    stop: str | Annotated[list[str], msgspec.Meta(max_length=16)] = ""
    presence_penalty: _Penalty = 0.0
    frequency_penalty: _Penalty = 0.0
    logit_bias: dict[int, Annotated[float, msgspec.Meta(ge=-100, le=100)]] = {}
    seed: int | None = None
    priority: int = 0
    stop_token_ids: list[int] = []
    ignore_eos: bool = False
    prompt_cache_key: str = ""
    timings_per_token: bool = False
    token_healing: bool = False
    hold_ms: Annotated[float, msgspec.Meta(ge=0)] = 0.0
    one_line: bool = False


class InfillExtra(msgspec.Struct, frozen=True):
    """One chunk of another file, as llama.vim sends it."""

    text: str
    filename: str = ""


class InfillBody(msgspec.Struct, frozen=True, kw_only=True):
    """``POST /infill``, as llama.vim and llama.vscode send it.

    ``model`` names an adapter; "" is the base. Without a ``temperature`` it is greedy.
    """

    input_prefix: str
    input_suffix: str
    input_extra: list[InfillExtra] = []
    prompt: str = ""
    model: str = ""
    n_predict: Annotated[int, msgspec.Meta(ge=-1)] = 128
    n_indent: _Count = 0
    n_cmpl: Annotated[int, msgspec.Meta(ge=1, le=16)] = 1
    stream: bool = False
    stop: list[str] = []
    temperature: _Temperature = 0.0
    top_k: int = 40
    top_p: _Unit = 0.95
    min_p: _Unit = 0.05
    seed: int | None = None
    t_max_predict_ms: float = 0.0
    response_fields: list[str] = []


class LoadAdapterBody(msgspec.Struct, frozen=True):
    """``POST /v1/load_lora_adapter``; ``scale`` is ours, ``load_inplace`` replaces as in vLLM."""

    lora_name: Annotated[str, msgspec.Meta(min_length=1)]
    lora_path: Annotated[str, msgspec.Meta(min_length=1)]
    scale: Annotated[float, msgspec.Meta(ge=-100.0, le=100.0)] = 1.0
    load_inplace: bool = False


class UnloadAdapterBody(msgspec.Struct, frozen=True):
    """``POST /v1/unload_lora_adapter``."""

    lora_name: str


class SwitchModelBody(msgspec.Struct, frozen=True):
    """``POST /tenon/model``: serve another installed model."""

    model: Annotated[str, msgspec.Meta(min_length=1)]


class TokenizeBody(msgspec.Struct, frozen=True):
    """``POST /tokenize``: ``content`` (llama.cpp) or ``prompt`` (vLLM), one text or a batch.

    ``parse_special`` recognises control tokens; ``count_only`` leaves the ids out of the answer.
    """

    content: str | list[str] | None = None
    prompt: str | list[str] | None = None
    parse_special: bool = False
    count_only: bool = False


class DetokenizeBody(msgspec.Struct, frozen=True):
    """``POST /detokenize``: one list of ids, or a batch of them."""

    tokens: list[int | list[int]]


_Body = TypeVar("_Body", bound=msgspec.Struct)


def parse(raw: bytes, kind: type[_Body]) -> _Body:
    """Decode a request; raises ``EngineRequestError`` with the offending field's name.

    ``null`` means "not given", as OpenAI's clients send it.
    """
    try:
        values = msgspec.json.decode(raw or b"{}")
    except msgspec.DecodeError as error:
        raise EngineRequestError(f"The request is not JSON: {error}") from error
    if isinstance(values, dict):
        values = {key: value for key, value in values.items() if value is not None}
    try:
        return msgspec.convert(values, kind, strict=True, str_keys=True)
    except msgspec.ValidationError as error:
        raise EngineRequestError(str(error), param=_field(str(error))) from error


def error_body(error: EngineRequestError) -> dict[str, Any]:
    """An error as OpenAI and vLLM write it."""
    kinds = {401: "authentication_error", 404: "NotFoundError", 501: "not_supported_error"}
    kind = kinds.get(
        error.status, "invalid_request_error" if error.status < 500 else "server_error"
    )
    return {
        "error": {
            "message": str(error),
            "type": kind,
            "param": error.param,
            "code": error.status,
        }
    }


def _field(message: str) -> str | None:
    """The field that a msgspec message is about: ``… - at `$.max_tokens` `` or ``missing …``."""
    found = re.search(r"`\$\.(\w+)", message) or re.search(r"required field `(\w+)`", message)
    return found.group(1) if found else None
