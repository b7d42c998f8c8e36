"""Whether an adapter serves: what is measured of it, and the decision."""
