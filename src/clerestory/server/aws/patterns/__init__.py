"""CloudWatch filter patterns: parsed once, asked of the store in SQL and of one text in Python."""
