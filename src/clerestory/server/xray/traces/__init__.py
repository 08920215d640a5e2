"""Traces as X-Ray sees them: segments, nodes, summaries, graphs."""
