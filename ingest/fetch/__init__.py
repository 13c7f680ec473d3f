"""From addresses to files on disk: everything of the project that speaks to the outside."""
