"""The paper's speed-ups next to ours at equal evaluations: `python -m benchmarks.paper --out DIR`."""
