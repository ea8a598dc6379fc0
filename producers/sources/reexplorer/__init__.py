"""Renewable resource and projects: NLR developer API and tracker files."""
