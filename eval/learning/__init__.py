"""Could learning from the asking variants match better? ``python -m eval.learning``, by hand.

Two things are learned from the ways people ask, and judged on articles they
were not learned from, in five folds: each variant of those is matched, itself
left out, with the variants of all articles, as `rag.articles` does.

The head is one matrix behind the frozen vectors of questions, so it keeps all
languages. The reader is a cross-encoder (made from MiniLM, which is English)
that reads a question beside title and first statement of the five best
articles, as a second opinion. What is left to choose (how long to learn, how
much an opinion weighs) is chosen on articles taken from the learned ones.
"""
