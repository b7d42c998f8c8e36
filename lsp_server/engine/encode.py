"""From what a request calls a prompt to token ids."""

from collections.abc import Sequence

from ..errors import EngineRequestError
from ..prompt.assemble import compose
from ..prompt.formats import Order, Segment, Special
from .messages import CompletionBody
from .runtime import Runtime


def prompts_of(body: CompletionBody) -> list[list[str | int]]:
    """Each prompt as a list of texts and token ids."""
    prompt = body.prompt
    if isinstance(prompt, str):
        return [[prompt]]
    kinds = {type(entry) for entry in prompt}
    if kinds == {list}:
        return [list(entry) for entry in prompt if isinstance(entry, list)]
    if kinds == {str}:
        return [[entry] for entry in prompt if isinstance(entry, str)]
    if kinds and list not in kinds:
        return [[entry for entry in prompt if not isinstance(entry, list)]]
    raise EngineRequestError(
        "A prompt is a text, a list of token ids, several of either, or one list of both.",
        param="prompt",
    )


def encode(
    entries: Sequence[str | int], runtime: Runtime, *, suffix: str | None
) -> tuple[list[int], int]:
    """Token ids, and the index from which on they come from the prompt's last text."""
    vocabulary = runtime.vocabulary
    if suffix is not None:
        if len(entries) != 1 or not isinstance(entries[0], str):
            raise EngineRequestError("With a suffix, the prompt is one text.", param="prompt")
        return fim_tokens(runtime, entries[0], suffix), 0
    text_alone = len(entries) == 1 and isinstance(entries[0], str)
    tokens = [vocabulary.bos] if text_alone and vocabulary.bos is not None else []
    boundary = len(tokens)
    for entry in entries:
        if isinstance(entry, int):
            if not 0 <= entry < vocabulary.size:
                raise EngineRequestError(
                    f"There is no token {entry}: the vocabulary has {vocabulary.size}.",
                    param="prompt",
                )
            tokens.append(entry)
            boundary = len(tokens)
        else:
            boundary = len(tokens)
            tokens += vocabulary.tokenize(entry)
    return tokens, boundary


def fim_tokens(runtime: Runtime, prefix: str, suffix: str) -> list[int]:
    """The model's own fill-in-the-middle prompt around a cursor."""
    fim = runtime.served.fim
    if fim.order is Order.PREFIX_ONLY:
        raise EngineRequestError(
            f"{runtime.served.name} was not trained to fill the middle: send no suffix, "
            "or choose another model.",
            param="suffix",
        )
    bos: tuple[Segment, ...] = (fim.bos,) if fim.bos else ()
    return segment_tokens(runtime, (*bos, *compose(fim, prefix, suffix)))


def segment_tokens(runtime: Runtime, segments: Sequence[Segment]) -> list[int]:
    """Token ids of a prompt's segments; user text can never become a control token."""
    tokens: list[int] = []
    for segment in segments:
        if isinstance(segment, Special):
            token = runtime.special(segment.token)
            if token is None:
                raise EngineRequestError(
                    f"{runtime.served.name} has no token {segment.token}: its FIM format is not "
                    f"{runtime.served.fim.name}. Import the model again with --fim.",
                    status=501,
                )
            tokens.append(token)
        else:
            tokens += runtime.vocabulary.tokenize(segment.text)
    return tokens
