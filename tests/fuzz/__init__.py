"""Fuzzing: what takes bytes from strangers, the rules it must keep, and what has been tried on it.

`targets.py` has one function for each; `corpus/` the inputs that once reached something new;
`run.py` looks for more, guided by coverage, by hand; `tests/test_fuzz.py` does a little of it each
time.
"""
