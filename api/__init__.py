"""HTTP and staff."""
