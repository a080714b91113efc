"""Losses: elementwise, unreduced; the caller masks and averages."""
