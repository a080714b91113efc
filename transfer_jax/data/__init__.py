"""Data sets: prepared from raw folders, stored as TFRecord shards, loaded as device batches.

`prepare` turns a raw folder into a prepared one, `storage` reads that back as arrays, `augment`
changes images on the device, and `dataset`, `partition`, `pipeline` and `loader` lead from a
folder to batches.
"""
