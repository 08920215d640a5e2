"""Events as they are read, watched and removed."""
