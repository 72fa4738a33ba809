"""For all tests: real servers where a test asks for one."""

pytest_plugins = ["tests.servers"]
