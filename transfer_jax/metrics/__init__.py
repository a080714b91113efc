"""Metrics as mergeable states: made empty, updated on the device, merged, computed once."""
