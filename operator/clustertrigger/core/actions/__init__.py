"""Defines what runs do: each action's references, its worker's input, and what its result adds to the status.

Each action has a file; `registry` lists them, and no other module distinguishes actions. What a user writes is in
`clustercontract.actions`. The worker's part is a package of `clusterworker`: `run` for `cluster`, `enrichment` for
`taxonomy_enrichment`.
"""
