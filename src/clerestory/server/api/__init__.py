"""How records are shown: one file a page."""
