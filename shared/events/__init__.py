"""The contract between the services: envelope, payloads and registry. Pure: no database, no framework."""
