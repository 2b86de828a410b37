"""Real-time Django in one process, in memory."""
