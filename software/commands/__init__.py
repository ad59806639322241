"""The commands of ``orbis``, a module a topic. Nothing slow is imported before a command runs."""
