"""How a record looks in bytes."""
