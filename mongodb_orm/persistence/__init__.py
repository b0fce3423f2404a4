"""What is done to documents: inserting, saving, updating, deleting."""
