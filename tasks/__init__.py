"""The tasks: one file each, found through the `speechx.tasks` entry-point group."""
