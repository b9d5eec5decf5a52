"""The worker: one container per run, which clusters collections and writes results.

Its input is a RunSpec, its output a RunResult (``clustercontract.run``). Modules import heavy libraries only where they
need them, so that a wrong configuration is reported within a second.
"""
