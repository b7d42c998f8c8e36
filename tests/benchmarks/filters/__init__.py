"""What the filters of completion are worth, on newer code of real repositories."""
