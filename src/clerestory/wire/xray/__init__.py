"""X-Ray's segment documents, and what they are as spans."""
