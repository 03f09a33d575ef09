"""How the model sees the canvas: at a level or mixed of two, and what its predictions tell."""
