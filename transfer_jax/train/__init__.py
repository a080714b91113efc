"""Training: one loop, one jitted step, and hooks for everything that is not a step. Knows batches, not data sets."""
