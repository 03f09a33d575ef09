"""The ruler: what a sampler setting does to the pictures of the trained demo model, against what it costs."""
