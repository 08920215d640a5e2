"""What each operation of the X-Ray API does."""
