"""How good completions are: published data sets, asked of the engine that serves."""
