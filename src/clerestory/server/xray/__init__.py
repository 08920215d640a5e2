"""The X-Ray API and the X-Ray daemon's protocol."""
