"""Parts that several providers are made of. Nothing in here imports a provider."""
