"""Records and spans as OTLP has them."""
