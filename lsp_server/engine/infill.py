"""llama.cpp's ``/infill`` over a runtime, so that llama.vim and llama.vscode work unchanged."""

from collections.abc import AsyncIterator
from typing import Any

from ..prompt.assemble import Snippet, Source, assemble
from ..prompt.formats import FimFormat, Order, Text
from ..prompt.window import Budget
from .encode import heal, segment_tokens
from .generation import Delta, Event, Finished, Work
from .messages import InfillBody, InfillExtra
from .openai import timings_of
from .runtime import Lease, Runtime
from .sampling import Sampling

HEADER_TOKENS = 16
"""Granted to a snippet's control tokens and path."""
PROJECT, FILE, CHUNK = "myproject", "filename", "tmp"
"""What llama.cpp's server calls what its clients do not name."""


def work_of(body: InfillBody, lease: Lease) -> Work:
    """The work that an infill request asks for.

    The window is cut by the code that serves an editor: three quarters of the context for the
    prefix, one for the suffix. A model without FIM tokens continues the prefix. Snippets are laid
    out as llama.cpp's server does, for families that mark files.
    """
    runtime = lease.runtime
    adapters = lease.adapters(body.model)
    fim, vocabulary = runtime.served.fim, runtime.vocabulary
    snippets = tuple(_snippet(extra, fim) for extra in body.input_extra)
    output = body.n_predict if body.n_predict >= 0 else runtime.context // 4
    room = runtime.context - min(output, runtime.context // 2) - 64
    sizes = [len(vocabulary.tokenize(snippet.text)) + HEADER_TOKENS for snippet in snippets]
    dropped = 0
    while dropped < len(sizes) and room - sum(sizes[dropped:]) < runtime.context // 4:
        dropped += 1  # the oldest come first
    snippets, room = snippets[dropped:], room - sum(sizes[dropped:])
    suffix = 0 if fim.order is Order.PREFIX_ONLY else room // 4
    budget = Budget(prefix=room - suffix, suffix=suffix, output=output)
    names = {"path": FILE, "repository": PROJECT} if snippets else {}
    source = Source(body.input_prefix + body.prompt, body.input_suffix, snippets=snippets, **names)
    prompt = assemble(
        source, fim, budget, lambda lines: [len(vocabulary.tokenize(line)) for line in lines]
    )
    encoded = segment_tokens(runtime, prompt.segments)
    tokens, required = heal(runtime, encoded) if encoded.tokens else ([vocabulary.separator], b"")
    runtime.check(tokens)
    return Work(
        tokens=tokens,
        max_tokens=output,
        sampling=Sampling(body.temperature, body.top_p, body.top_k, body.min_p, seed=body.seed),
        stops=tuple(body.stop),
        stop_tokens=runtime.stop_tokens,
        required=required,
        adapters=adapters,
        indent=body.n_indent,
        max_ms=body.t_max_predict_ms,
    )


def _snippet(extra: InfillExtra, fim: FimFormat) -> Snippet:
    """A chunk as llama.cpp's server lays it out: its clients end every chunk with a newline, which
    a layout that ends files with one must not double.
    """
    last = fim.repository.file[-1] if fim.repository and fim.repository.file else None
    ends = isinstance(last, Text) and last.text.endswith("{text}\n")
    text = extra.text.removesuffix("\n") if ends else extra.text
    return Snippet(extra.filename or CHUNK, text)


class InfillAnswer:
    """Collects one work's events into llama.cpp's native answer."""

    def __init__(self, body: InfillBody, runtime: Runtime, work: Work) -> None:
        self._body = body
        self._runtime = runtime
        self._work = work

    async def whole(self, events: AsyncIterator[tuple[int, Event]]) -> list[dict[str, Any]]:
        """One answer per ``n_cmpl``."""
        texts: dict[int, str] = {}
        answers: dict[int, dict[str, Any]] = {}
        async for number, event in events:
            if isinstance(event, Delta | Finished):
                texts[number] = texts.get(number, "") + event.text
            if isinstance(event, Finished):
                answers[number] = self._final(number, texts[number], event)
        return [self._filtered(answers[number]) for number in sorted(answers)]

    async def stream(
        self, events: AsyncIterator[tuple[int, Event]]
    ) -> AsyncIterator[dict[str, Any]]:
        """Pieces with ``stop: false``, and the figures with ``stop: true`` at the end."""
        async for number, event in events:
            if isinstance(event, Finished):
                if event.text:
                    yield {"index": number, "content": event.text, "stop": False}
                yield self._filtered(self._final(number, "", event))
            elif isinstance(event, Delta) and event.text:
                yield {"index": number, "content": event.text, "stop": False}

    def _final(self, number: int, text: str, event: Finished) -> dict[str, Any]:
        timings = event.timings
        return {
            "index": number,
            "content": text,
            "stop": True,
            "stop_type": "eos" if event.reason == "stop" else "limit",
            "model": self._body.model or self._runtime.served.name,
            "tokens_predicted": timings.predicted_n,
            "tokens_evaluated": len(self._work.tokens),
            "tokens_cached": timings.cache_n,
            "truncated": False,
            "has_new_line": "\n" in text,
            "generation_settings": {"n_ctx": self._runtime.context},
            "timings": timings_of([timings]),
        }

    def _filtered(self, answer: dict[str, Any]) -> dict[str, Any]:
        """Only the fields asked for; ``timings/prompt_n`` becomes a flat key, as llama.cpp does."""
        if not self._body.response_fields:
            return answer
        chosen: dict[str, Any] = {}
        for name in self._body.response_fields:
            value: Any = answer
            for part in name.split("/"):
                value = value.get(part) if isinstance(value, dict) else None
            if value is not None:
                chosen[name] = value
        return chosen
