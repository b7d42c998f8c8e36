"""From source text to what a model trains on."""
