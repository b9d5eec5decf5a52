"""What is shown: functions from objects of the API server and the time to plain data, without I/O."""
