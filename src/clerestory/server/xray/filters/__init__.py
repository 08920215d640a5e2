"""Filter expressions: read, and asked of traces."""
