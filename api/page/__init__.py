"""The public page: what it says in each language, and what it shows of an answer."""
