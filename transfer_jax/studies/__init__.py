"""Trains what a study compares: its source, its members, and what they leave in the run folder."""
