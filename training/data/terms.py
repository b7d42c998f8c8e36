"""What prompts are made with; every sample and every question is laid out here."""

from dataclasses import dataclass, replace

from lsp_server.prompt.assemble import Source
from lsp_server.prompt.formats import FimFormat
from lsp_server.prompt.snippets import SnippetSource, snippets_for
from lsp_server.prompt.window import Budget, window

from .samples import Sample, Tokenizer, fim_sample


@dataclass(frozen=True, slots=True)
class Terms:
    """The model's format and tokens, the budget that serves, and the token that ends an answer."""

    fim: FimFormat
    tokenizer: Tokenizer
    budget: Budget
    end: int

    def within(self, budget: Budget) -> "Terms":
        """The same with prompts no longer than ``budget``."""
        return replace(self, budget=self.budget.within(budget))

    def with_snippets(self, source: Source, index: SnippetSource) -> Source:
        """A document with the cross-file context that a keystroke there would get."""
        budget, count = self.budget, self.tokenizer.count
        shown = window(source.before, source.after, budget, count)
        found = snippets_for(source, index, budget.snippets, count, shown=shown)
        return replace(source, snippets=found)

    def sample(self, source: Source, middle: str) -> Sample:
        """A document's prompt and its answer in tokens, healed as Tenon's engine does."""
        return fim_sample(
            source, middle, self.fim, self.budget, self.tokenizer, end=self.end, heal=True
        )
