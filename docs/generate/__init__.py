"""Those parts of the reference that follow from the code: `python -m docs.generate` writes them.

A page has them between `<!-- generated: NAME -->` and `<!-- end -->`; what stands outside is
written by hand. A test compares.
"""
