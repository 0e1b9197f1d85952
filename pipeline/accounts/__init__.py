"""The accounts as an operator sees them: their controls, and what the workers know of them."""
