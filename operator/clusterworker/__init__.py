"""The worker: one container per run that clusters collections and leaves results behind.

Its input is a RunSpec, its output a RunResult (``clustercontract.run``). Nothing here imports a heavy library at
module level outside the modules that cannot do without it, so that a wrong configuration is reported within a second.
"""
