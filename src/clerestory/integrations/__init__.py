"""What clerestory plugs into: the standard library's logging."""
