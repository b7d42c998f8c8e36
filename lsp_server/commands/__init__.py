"""What each `tenon …` command does; imported only when that command runs."""
