"""Corpus to index, in batch."""
