"""Commands of the one command line that live in training; imported only when they run."""
