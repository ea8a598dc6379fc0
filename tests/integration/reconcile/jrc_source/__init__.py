"""A source that the product does not have, added as the page says."""
