"""The description of the API, as OpenAPI has it."""
