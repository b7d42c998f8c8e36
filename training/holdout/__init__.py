"""What is held out: the newest code, by what git knows."""
