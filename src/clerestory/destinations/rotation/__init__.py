"""When a file is rotated, and what becomes of the old ones."""
