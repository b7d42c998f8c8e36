"""One keystroke to one answer. Pure: the engine is injected."""
