"""`python -m pipeline.cli`: the console script where there is none."""

from pipeline.cli import main

main()
