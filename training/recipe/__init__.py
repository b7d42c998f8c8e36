"""The recipe of a repository's adapter: a loop over samples; knows no repository and no store."""
