"""Weights in files: read strictly, written whole, with what there is to know about them."""

from transfer_jax.weights.card import Card
from transfer_jax.weights.exporting import export
from transfer_jax.weights.orbax import save
from transfer_jax.weights.reading import Loaded, load, read, stated_network

__all__ = ["Card", "Loaded", "export", "load", "read", "save", "stated_network"]
