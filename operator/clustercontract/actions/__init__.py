"""What a trigger can do: of each action, what a user writes as `action_config`, and what its worker is told.

One file per action; `config` lists them. The operator's side of each is in `clustertrigger.core.actions`, the worker's
is a room of `clusterworker`: `run` for `cluster`.
"""
