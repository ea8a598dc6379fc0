"""Power plants, LNG terminals and transmission: Global Energy Monitor and grid data."""
