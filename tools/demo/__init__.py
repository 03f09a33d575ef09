"""Data and training of the demo model."""
