"""Completions while somebody types, beside llama.cpp's own server: ``make bench-latency``."""
