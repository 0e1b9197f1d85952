"""The messenger: carries commands out within limits, retries them, and records the outcome of each.

`limits`, `slots`, `availability` and `command_state` are pure logic: time and randomness are arguments, and nothing is
awaited.
"""
