"""``make bench-train``: tokens a second and peak memory of training, beside plain transformers."""
