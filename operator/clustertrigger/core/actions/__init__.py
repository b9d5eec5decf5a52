"""What runs do: of each action, what it refers to, what its worker is told, and what its result adds to the status.

One file per action; `registry` lists them, and nothing else tells one from another. What a user writes is in
`clustercontract.actions`, the worker's side is a room of `clusterworker`: `run` for
`cluster`, `enrichment` for `taxonomy_enrichment`.
"""
