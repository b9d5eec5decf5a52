"""Generates files from the models: the CustomResourceDefinitions, the chart's copies, and the references."""
