"""The other process: takes records in, keeps them, answers questions about them."""
