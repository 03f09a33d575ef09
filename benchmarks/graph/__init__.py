"""Anybody's graph, plain and by each preset, on a running server: Fresco Bench without a node, over HTTP."""


class CannotRun(RuntimeError):
    """What keeps a graph from being measured, and what to do."""
