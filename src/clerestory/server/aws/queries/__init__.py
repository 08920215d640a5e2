"""Queries of StartQuery: what runs them, and what they gave."""
