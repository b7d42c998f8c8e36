"""Does an adapter of a repository help on that repository's newer code? ``make bench-adapt``."""
