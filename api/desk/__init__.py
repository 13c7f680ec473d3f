"""The staff side: what is remembered of conversations, and tickets."""
