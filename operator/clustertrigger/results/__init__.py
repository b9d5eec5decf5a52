"""Results of runs, read with a user's rights: the short-lived Pod that reads a file, and the program in it.

The command and clustertrigger-api create that Pod and run the program; this package says which Pod and which program,
how long to wait for it, and what its answer means.
"""
