"""The CloudWatch Logs API, served from our own store."""
