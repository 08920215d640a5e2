"""The X-Ray daemon's protocol over UDP."""
