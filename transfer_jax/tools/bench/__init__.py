"""Benchmarks: `python -m transfer_jax.tools.bench` and what it measures."""
