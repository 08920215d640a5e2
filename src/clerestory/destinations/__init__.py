"""Where records go, one file each; found through entry points."""
