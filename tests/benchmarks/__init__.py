"""Measurements, not tests: run by hand, both sides of a comparison in one run."""
