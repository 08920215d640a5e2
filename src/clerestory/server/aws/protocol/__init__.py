"""How calls and answers look on the wire: shapes, tokens of pages, frames, pointers."""
