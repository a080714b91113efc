"""Weights in files: read strictly, written whole, and accompanied by a card."""

from transfer_jax.weights.exporting import export
from transfer_jax.weights.model_card import Card
from transfer_jax.weights.orbax import save
from transfer_jax.weights.reading import Loaded, load, read, stated_network

__all__ = ["Card", "Loaded", "export", "load", "read", "save", "stated_network"]
