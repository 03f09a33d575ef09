"""The drawings of the documentation, and the pack's icon and banner: `python -m tools.drawings`."""
