"""From what a request calls a prompt to token ids."""

from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import EngineRequestError
from ..prompt.assemble import compose
from ..prompt.formats import Order, Segment, Special, Text
from .healing import take_back
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


@dataclass(frozen=True, slots=True)
class Encoded:
    """A prompt's token ids; those from ``start`` to before ``end`` are its last text."""

    tokens: list[int]
    start: int
    end: int


def encode(entries: Sequence[str | int], runtime: Runtime, *, suffix: str | None) -> Encoded:
    """The token ids of one prompt of a request."""
    if suffix is not None:
        if len(entries) != 1 or not isinstance(entries[0], str):
            raise EngineRequestError("With a suffix, the prompt is one text.", param="prompt")
        return segment_tokens(runtime, fim_segments(runtime, entries[0], suffix))
    if len(entries) == 1 and isinstance(entries[0], str):
        return segment_tokens(runtime, (Text(entries[0]),))
    tokens: list[int] = []
    start = end = 0
    for entry in entries:
        if isinstance(entry, int):
            if not 0 <= entry < runtime.vocabulary.size:
                raise EngineRequestError(
                    f"There is no token {entry}: the vocabulary has {runtime.vocabulary.size}.",
                    param="prompt",
                )
            tokens.append(entry)
        else:
            start = len(tokens)
            tokens += runtime.vocabulary.tokenize(entry)
            end = len(tokens)
    return Encoded(tokens, start, end)


def fim_segments(runtime: Runtime, prefix: str, suffix: str) -> tuple[Segment, ...]:
    """The model's own fill-in-the-middle prompt around a cursor."""
    fim = runtime.served.fim
    if fim.order is Order.PREFIX_ONLY:
        raise EngineRequestError(
            f"{runtime.served.name} was not trained to fill the middle: send no suffix, "
            "or choose another model.",
            param="suffix",
        )
    bos: tuple[Segment, ...] = (fim.bos,) if fim.bos else ()
    return (*bos, *compose(fim, prefix, suffix))


def segment_tokens(runtime: Runtime, segments: Sequence[Segment]) -> Encoded:
    """The token ids of a prompt's segments.

    User text can never become a control token. BOS comes first if the vocabulary wants one.
    """
    tokens: list[int] = []
    start = end = 0
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
            start = len(tokens)
            tokens += runtime.vocabulary.tokenize(segment.text)
            end = len(tokens)
    bos = runtime.vocabulary.bos
    if tokens and bos is not None and tokens[0] != bos:
        return Encoded([bos, *tokens], start + 1, end + 1)
    return Encoded(tokens, start, end)


def heal(runtime: Runtime, prompt: Encoded) -> tuple[list[int], bytes]:
    """What is kept of a prompt, and the text that the answer must begin with.

    A prompt is healed where it ends in text, and where it ends in a prefix and the middle token of
    a family that was trained so; the middle token then stays behind what is kept.
    """
    end = prompt.tokens[prompt.end :]
    if end and not _ends_in_prefix(runtime, prompt):
        return prompt.tokens, b""
    kept, required = take_back(prompt.tokens[: prompt.end], prompt.start, runtime.vocabulary.pieces)
    # A document that is one unfinished word: the model starts as after another document's end.
    return [*kept, *end] or [runtime.vocabulary.separator], required


def _ends_in_prefix(runtime: Runtime, prompt: Encoded) -> bool:
    """Whether the last text is a prefix between the two control tokens that belong around it."""
    around = runtime.served.fim.around_prefix
    if around is None or not 0 < prompt.start < prompt.end:
        return False
    found = [prompt.tokens[prompt.start - 1], *prompt.tokens[prompt.end :]]
    return found == [runtime.special(token) for token in around]
