"""Optimisers whose hyper-parameters are arrays, so that one compiled step serves every member of a study."""

from transfer_jax.optim.build import Hyper, Optimizer, build, hyper

__all__ = ["Hyper", "Optimizer", "build", "hyper"]
