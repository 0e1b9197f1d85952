"""The time and memory that a large tenants file takes to load, and the cost of a look-up."""
