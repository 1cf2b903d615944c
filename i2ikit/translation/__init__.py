"""Translating a data set: a frozen plan of shards, and what runs one shard after the other."""
