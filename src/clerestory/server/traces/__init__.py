"""Questions about spans: search, one trace, heat map, service map."""
