"""The command `python -m fresco_core demo`: one seed drawn plain and through Fresco, side by side."""
