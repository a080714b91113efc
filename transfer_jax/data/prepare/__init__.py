"""From a raw folder to a prepared one: reading, decoding, dealing into splits, and writing."""
