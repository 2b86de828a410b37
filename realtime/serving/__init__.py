"""What a server wants of its process, machine and uvicorn: how it starts, stands firm and stops."""
