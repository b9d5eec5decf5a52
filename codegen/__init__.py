"""What is generated from the models: the CustomResourceDefinitions, the chart's copies, the field reference."""
