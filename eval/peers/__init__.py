"""Other systems over the same documents and the same questions, each in its own environment."""
