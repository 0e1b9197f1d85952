"""The chaos harness: drives the whole pipeline, kills its parts at random, then counts every effect."""
