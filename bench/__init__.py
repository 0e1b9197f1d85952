"""The benchmark: this pipeline beside stock Faust and raw clients, in one run on one machine.

`python -m bench` (`make bench`); docs/performance.md says how to read it.
"""
