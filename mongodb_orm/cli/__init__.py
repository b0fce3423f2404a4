"""The command line: `mongodb-orm`; the extra `cli`."""
