"""One reader for each kind of source: Source to Documents."""
