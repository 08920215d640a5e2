"""Where records go, one file each; joined in configuration.py."""
