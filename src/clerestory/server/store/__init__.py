"""Where records rest: the embedded column store."""
