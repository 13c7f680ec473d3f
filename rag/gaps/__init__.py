"""What people asked and the sources did not answer: put together, and told to those who write."""
