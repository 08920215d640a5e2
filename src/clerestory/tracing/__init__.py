"""Spans: what they are made of, which of them are recorded, how they become lines.

trace, integrations -> [tracing] -> spool
"""
