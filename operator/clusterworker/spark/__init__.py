"""Runs tasks with Apache Spark. Only this package imports PySpark, which runs with engine local do not need."""
