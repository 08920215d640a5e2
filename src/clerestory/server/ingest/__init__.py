"""How records arrive: one file a protocol."""
