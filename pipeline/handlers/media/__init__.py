"""Media of a tenant's accounts: uploaded once, and named in sends by what the provider gave for them."""
