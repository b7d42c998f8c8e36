"""Watches a repository and has it learnt when there is something new and nobody is in the way."""
