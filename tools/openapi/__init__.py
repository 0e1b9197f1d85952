"""The description of the HTTP API in OpenAPI, made from the code."""
