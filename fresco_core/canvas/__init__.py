"""What the sampler holds: a latent of full size, its levels, its noise and what lies beyond its edge."""
