"""The trained demo model: scene grammar, prompt encoder, autoencoder, transformer."""
