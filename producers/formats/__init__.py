"""What several sources read: CSV and tracker files, columns, positions, words."""
