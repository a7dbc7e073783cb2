"""The six stages of a chat message, one a file."""
