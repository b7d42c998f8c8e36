"""What belongs to a run beside its stages: where it starts, what it leaves, how it gives way."""
