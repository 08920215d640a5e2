"""How bytes reach a receiver: HTTP exchanges and what their answers mean, signatures, tokens."""
