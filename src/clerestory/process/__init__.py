"""What happens to a record before it travels: values bounded, secrets masked, noise limited."""
