"""The services of vendors, a file each; none knows another."""
