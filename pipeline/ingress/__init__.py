"""The HTTP door: webhooks are authenticated, published and only then answered with 200."""
