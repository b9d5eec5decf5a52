"""Defines what a trigger can do: for each action, what a user writes as `action_config`, and the input of its worker.

Each action has a file; `config` lists the actions. The operator's part of an action is in
`clustertrigger.core.actions`; the worker's part is a package of `clusterworker`, such as `run` for `cluster`
and `enrichment` for `taxonomy_enrichment`.
"""
