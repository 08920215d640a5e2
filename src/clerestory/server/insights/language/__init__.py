"""How a query is read: text to tree."""
