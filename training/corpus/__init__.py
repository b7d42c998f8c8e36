"""Builds the corpus for continued training from sources that can be named and had again."""
