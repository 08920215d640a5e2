"""How commands ask a server, find or start one, and print its answers."""
