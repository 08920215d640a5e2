"""What the services' bodies look like in bytes; a file a service, none knows another."""
