"""Building blocks of several providers. Nothing here imports a provider."""
