"""What an editor shows: a suggestion, kept while it is typed along, replaced by a newer one.
Pure.

As VS Code does it: the text stays while what is typed agrees with it, and whatever the newest
answer says takes its place, be it nothing.
"""

from dataclasses import dataclass, field


@dataclass(slots=True)
class Shown:
    """A suggestion on the screen; ``since`` is when this text, or what it is left of, came up."""

    text: str
    replaced: int
    since: float


@dataclass(slots=True)
class Screen:
    """``flickers`` are texts that were exchanged or taken away although what was typed agreed with
    them, each with what came instead; ``grown`` counts those that only became longer.
    """

    shown: Shown | None = None
    flickers: list[tuple[str, str]] = field(default_factory=list)
    grown: int = 0

    def typed(self, inserted: str, removed: int, closed: int) -> None:
        """The document changed at the cursor; ``closed``: closers that the editor added (or, below
        zero, that were typed over) right of it.
        """
        shown = self.shown
        if shown is None:
            return
        if removed or not inserted or not shown.text.startswith(inserted):
            self.shown = None
            return
        text, replaced = shown.text[len(inserted) :], shown.replaced + closed
        self.shown = Shown(text, replaced, shown.since) if text.strip() and replaced >= 0 else None

    def hide(self) -> None:
        """The cursor went elsewhere."""
        self.shown = None

    def answered(self, text: str, replaced: int, now: float) -> bool:
        """The newest request was answered; returns whether another text is shown than before."""
        shown = self.shown
        if not text:
            if shown:
                self.flickers.append((shown.text, ""))
            self.shown = None
            return False
        if shown and (shown.text, shown.replaced) == (text, replaced):
            return False
        if shown and text.startswith(shown.text):
            self.grown += 1
            self.shown = Shown(text, replaced, shown.since)
        else:
            if shown:
                self.flickers.append((shown.text, text))
            self.shown = Shown(text, replaced, now)
        return True
