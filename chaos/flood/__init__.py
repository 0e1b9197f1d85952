"""Callers who send nothing, or never end what they begin, against an ingress: `python -m chaos.flood`."""
