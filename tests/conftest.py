"""For all tests: real servers and new databases where a test asks for one, a limit of time, and a summary in words."""

pytest_plugins = ["tests.servers", "tests.databases", "tests.summary", "tests.pace"]
