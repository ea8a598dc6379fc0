"""The page: what the API answers, to be looked at."""
