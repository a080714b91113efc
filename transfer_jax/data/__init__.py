"""Data: raw folders to TFRecord shards with a manifest, shards to uint8 batches, augmentation as pure functions."""
