"""How a recorder is set up: its options, its rules, where it runs, how requests are named."""
