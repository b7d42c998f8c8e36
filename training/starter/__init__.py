"""The recipe of the starter base: from a model that continues text to one that fills the middle."""
