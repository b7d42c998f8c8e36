"""One editor's session: what is asked and what is told; engine, index and trainer are handed in."""
