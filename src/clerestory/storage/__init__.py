"""Where a program keeps log entries by itself: files that rotate, a database, a destination."""
