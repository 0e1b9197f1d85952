"""Dead letters: find them, show them, and resolve them (redrive or drop)."""
