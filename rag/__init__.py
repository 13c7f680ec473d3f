"""Question to cited answer; knows no HTTP and no file format."""
