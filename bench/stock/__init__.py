"""Stock Faust doing what this pipeline does: the same stage functions, topics, keys and tables, in plain agents.

Nothing of Faust is overridden. `python -m bench.stock APP` runs one worker of it in the place of
`pipeline worker APP` or `pipeline ingress`.
"""
