"""HTTP and staff."""

__version__ = "0.1.0"
"""Of the whole program, as `pyproject.toml` has it."""
