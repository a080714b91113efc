"""Weights in files: written whole, read strictly."""

from transfer_jax.weights.orbax import load, save

__all__ = ["load", "save"]
