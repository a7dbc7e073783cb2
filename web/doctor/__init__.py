"""What `spanfeed doctor` looks at, one subject a file, and how it looks: at everything at once, with a deadline."""
