"""Where records wait until every destination has them: segments, cursors, one folder a process."""
