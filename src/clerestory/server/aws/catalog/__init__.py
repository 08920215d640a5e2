"""What is known of groups, streams, filters and saved queries; kept in one SQLite file."""
