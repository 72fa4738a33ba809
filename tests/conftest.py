"""For all tests: real servers and new databases where a test asks for one, and a summary in plain words."""

pytest_plugins = ["tests.servers", "tests.databases", "tests.summary"]
