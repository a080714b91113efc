"""Looks inside and between networks: stages, drift, representations, and what they predict."""
