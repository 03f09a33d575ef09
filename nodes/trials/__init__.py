"""Runs of one model by several schedules, side by side, for Fresco Bench."""
