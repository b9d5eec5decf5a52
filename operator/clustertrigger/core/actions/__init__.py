"""Defines what runs do: each action's references, its worker's input, and what its result adds to the status.

One file per action; `registry` lists them, and no other module distinguishes actions. What a user writes is in
`clustercontract.actions`, the worker's side is a room of `clusterworker`: `run` for
`cluster`, `enrichment` for `taxonomy_enrichment`.
"""
