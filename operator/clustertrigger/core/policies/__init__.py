"""The policies that a decision is made of: each looks at one side of a trigger."""
