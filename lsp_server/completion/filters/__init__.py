"""What is left out of a model's answer, and why: pure functions from a draft to a draft."""
