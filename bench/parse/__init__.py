"""The cost of parsing a webhook into events, compared with a lower bound, Wappa and PyWa."""
