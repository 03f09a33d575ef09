"""Wall-clock of plain and Fresco side by side in a real host: `python -m benchmarks.latency --out DIR`."""
