"""The commands of the language, one file a family."""
