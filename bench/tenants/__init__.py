"""How long a large tenants file takes to load, what it holds in memory, and what a look-up costs."""
