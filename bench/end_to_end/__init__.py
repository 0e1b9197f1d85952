"""The whole way: a webhook at the door, a reply at the sandbox."""
