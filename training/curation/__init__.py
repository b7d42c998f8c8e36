"""What of a repository is worth learning, and why the rest is not."""
