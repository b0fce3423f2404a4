"""The proof of reliability: a replica set whose primary is killed, deposed and frozen while it is written to."""
