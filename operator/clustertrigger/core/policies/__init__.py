"""Contains the policies of a decision. Each handles one aspect of a trigger."""
