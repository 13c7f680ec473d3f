"""One file that holds all that cannot be had again, and the way back."""
