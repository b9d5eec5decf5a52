"""Runs tasks with Apache Spark. Only this package imports PySpark, so runs with engine local do not need it."""
