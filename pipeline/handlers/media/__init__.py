"""Media: uploads, downloads, limits, and the contract of the providers that keep media."""
