"""Completions while somebody types, measured beside llama.cpp's own server: ``make bench-latency``."""
