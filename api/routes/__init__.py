"""Parse, call, return."""
