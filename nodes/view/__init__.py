"""A trace as pictures and numbers for the nodes and the browser."""
