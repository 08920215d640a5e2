"""How records are asked for: search text to tree, tree to SQL or predicate."""
