"""What happened on the way to one answer: milliseconds, prompt, raw text, filters. Pure."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Self

from ..prompt.assemble import Prompt, Snippet


def stages(timings: Mapping[str, float]) -> dict[str, float]:
    """Milliseconds by a stage's name alone, ``prompt_ms`` as ``prompt``; counts, and what is per
    token, are left out.
    """
    return {
        name.removesuffix("_ms"): value
        for name, value in timings.items()
        if name.endswith("_ms") and "_per_" not in name
    }


@dataclass(slots=True)
class Trace:
    """Filled in as a query goes along; what it did not come to stays empty.

    ``timings`` are milliseconds (``…_ms``) and the engine's own figures by name, ``raw`` what the
    model wrote up to where the answer's extent ends, ``steps`` the filters that changed or dropped
    it. ``cached`` is whether an earlier answer was there already. ``answer`` is one and the same
    for all requests that one answer of the model serves.
    """

    started: float = field(default_factory=time.perf_counter)
    timings: dict[str, float] = field(default_factory=dict)
    prompt: Prompt | None = None
    snippets: tuple[Snippet, ...] = ()
    raw: str = ""
    steps: tuple[str, ...] = ()
    cached: bool = False
    answer: object = field(default_factory=object, repr=False)

    def since(self, start: float, name: str) -> None:
        """Note the milliseconds since ``start`` (``time.perf_counter``) under a stage's name."""
        self.timings[name] = round((time.perf_counter() - start) * 1000, 2)

    def total(self) -> dict[str, float]:
        """The timings, the whole way among them as ``total_ms``."""
        self.since(self.started, "total_ms")
        return self.timings

    def told(self, former: Self, *, cached: bool) -> Self:
        """The trace of a request whose answer came about as ``former`` says; ``cached``: before it.

        Only of an answer that was made for it the timings are its own, too.
        """
        timings = self.timings if cached else former.timings | self.timings
        return replace(former, started=self.started, timings=dict(timings), cached=cached)
