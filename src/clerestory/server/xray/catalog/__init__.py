"""What is known of groups, sampling rules and tags; kept in the file of the metadata."""
