"""`python -m pipeline.cli`: the console script as a module."""

from pipeline.cli import main

main()
