"""What lies on disk; the only meeting place of serving and training."""
