"""AWS's X-Ray SDK, spoken here: its recorder, segments and middleware, made of our spans.

xray_recorder -> [xray] -> span -> spool
"""
