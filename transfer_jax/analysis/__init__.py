"""Similarity of networks: canonical correlations, CKA, stage by stage, and agreement of
predictions.
"""
